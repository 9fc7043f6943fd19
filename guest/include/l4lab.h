/* L4 for small freestanding programs in C and C++, amd64 and ia32.
 *
 * Names are those of L4Re where L4Re has them.  Numbers come from the generated abi.h.
 * Remember what this laboratory is about: a thread has one set of message registers, and
 * every function below that does a system call may change them, the log_ functions too.
 */
#ifndef L4LAB_H
#define L4LAB_H

#include <stddef.h>
#include <stdint.h>

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define L4LAB_INLINE static inline __attribute__((always_inline, unused))
#define L4LAB_FUNCTION static __attribute__((noinline, unused))

typedef intptr_t l4_mword_t;
typedef uintptr_t l4_umword_t;
typedef uint64_t l4_uint64_t;

/* Capabilities: an index shifted by L4_CAP_SHIFT; the low bits are free for an operation. */
typedef l4_umword_t l4_cap_idx_t;

#define L4_CAP(index) ((l4_cap_idx_t)(index) << L4_CAP_SHIFT)

/* Waits store the reply capability in the thread's implicit slot: neither "self", which is
 * L4_INVALID_CAP, nor an explicit slot. */
#define L4_INVALID_REPLY_CAP ((l4_cap_idx_t)L4_INVALID_CAP | L4_CAP_REPLY_BIT)

/* What the thread began with: its argument register, and its stack pointer. */
extern l4_umword_t l4lab_argument;
extern const l4_umword_t *l4lab_entry_stack;

/* The UTCB. */

typedef struct l4_utcb_t l4_utcb_t;

typedef union l4_msg_regs_t {
  l4_umword_t mr[UTCB_MR_COUNT];
  l4_uint64_t mr64[UTCB_MR_COUNT * sizeof(l4_umword_t) / sizeof(l4_uint64_t)];
} l4_msg_regs_t;

typedef struct l4_buf_regs_t {
  l4_umword_t bdr;
  l4_umword_t br[UTCB_BR_COUNT];
} l4_buf_regs_t;

typedef struct l4_thread_regs_t {
  l4_umword_t error;
  l4_umword_t free_marker;
  l4_umword_t user[3];
} l4_thread_regs_t;

/* The calling thread's UTCB: word 63, which a segment base points at, holds its address. */
L4LAB_INLINE l4_utcb_t *l4_utcb(void)
{
  l4_utcb_t *utcb;
#ifdef __x86_64__
  __asm__("mov %%gs:0, %0" : "=r"(utcb));
#else
  __asm__("mov %%fs:0, %0" : "=r"(utcb));
#endif
  return utcb;
}

L4LAB_INLINE l4_msg_regs_t *l4_utcb_mr_u(l4_utcb_t *utcb)
{
  return (l4_msg_regs_t *)utcb;
}

L4LAB_INLINE l4_buf_regs_t *l4_utcb_br_u(l4_utcb_t *utcb)
{
  return (l4_buf_regs_t *)((char *)utcb + UTCB_BDR);
}

L4LAB_INLINE l4_thread_regs_t *l4_utcb_tcr_u(l4_utcb_t *utcb)
{
  return (l4_thread_regs_t *)((char *)utcb + UTCB_ERROR);
}

L4LAB_INLINE l4_msg_regs_t *l4_utcb_mr(void) { return l4_utcb_mr_u(l4_utcb()); }
L4LAB_INLINE l4_buf_regs_t *l4_utcb_br(void) { return l4_utcb_br_u(l4_utcb()); }
L4LAB_INLINE l4_thread_regs_t *l4_utcb_tcr(void) { return l4_utcb_tcr_u(l4_utcb()); }

/* Message tags. */

typedef struct l4_msgtag_t {
  l4_mword_t raw;
} l4_msgtag_t;

L4LAB_INLINE l4_msgtag_t l4_msgtag(long label, unsigned words, unsigned items, unsigned flags)
{
  l4_msgtag_t tag;
  tag.raw = (l4_mword_t)((l4_umword_t)label << L4_TAG_LABEL_SHIFT | (words & L4_TAG_WORDS)
                         | (items & L4_TAG_ITEMS) << L4_TAG_ITEMS_SHIFT
                         | (flags & L4_TAG_FLAGS));
  return tag;
}

L4LAB_INLINE long l4_msgtag_label(l4_msgtag_t tag) { return tag.raw >> L4_TAG_LABEL_SHIFT; }
L4LAB_INLINE unsigned l4_msgtag_words(l4_msgtag_t tag) { return tag.raw & L4_TAG_WORDS; }
L4LAB_INLINE unsigned l4_msgtag_flags(l4_msgtag_t tag) { return tag.raw & L4_TAG_FLAGS; }
L4LAB_INLINE int l4_msgtag_has_error(l4_msgtag_t tag) { return (tag.raw & L4_TAG_ERROR) != 0; }

L4LAB_INLINE unsigned l4_msgtag_items(l4_msgtag_t tag)
{
  return tag.raw >> L4_TAG_ITEMS_SHIFT & L4_TAG_ITEMS;
}

/* The reason why the IPC with this result failed, or 0.  Ask before the next system call. */
L4LAB_INLINE l4_umword_t l4_ipc_error(l4_msgtag_t tag, l4_utcb_t *utcb)
{
  return l4_msgtag_has_error(tag) ? l4_utcb_tcr_u(utcb)->error & 0x1f : 0;
}

/* Timeouts. */

/* A pair: receive timeout in the low 16 bits, send timeout in the high ones. */
typedef struct l4_timeout_t {
  uint32_t raw;
} l4_timeout_t;

#ifdef __cplusplus
#define L4LAB_TIMEOUT(raw) (l4_timeout_t{raw})
#else
#define L4LAB_TIMEOUT(raw) ((l4_timeout_t){raw})
#endif

#define L4_IPC_NEVER L4LAB_TIMEOUT(L4_TIMEOUT_NEVER)
#define L4_IPC_BOTH_TIMEOUT_0 L4LAB_TIMEOUT(L4_TIMEOUT_BOTH_ZERO)
#define L4_IPC_SEND_TIMEOUT_0 L4LAB_TIMEOUT(L4_TIMEOUT_SEND_ZERO)
#define L4_IPC_RECV_TIMEOUT_0 L4LAB_TIMEOUT(L4_TIMEOUT_RECEIVE_ZERO)

/* One half: at least `us` microseconds from now, mantissa << exponent. */
L4LAB_INLINE uint32_t l4_timeout_from_us(uint32_t us)
{
  uint32_t exponent = 0;
  if (!us)
    return L4_TIMEOUT_ZERO;
  while (us > L4_TIMEOUT_MANTISSA) {
    us = us / 2 + us % 2;
    exponent++;
  }
  return exponent << L4_TIMEOUT_EXPONENT_SHIFT | us;
}

L4LAB_INLINE l4_timeout_t l4_timeout(uint32_t send, uint32_t receive)
{
  return L4LAB_TIMEOUT(send << 16 | receive);
}

/* The system call. */

#define L4LAB_TEXT_(x) #x
#define L4LAB_TEXT(x) L4LAB_TEXT_(x)

/* Invoke `dest` with operation `op`; `sent` is the label that a thread or a caller gets,
 * `received` takes the label of what was received and may be null. */
L4LAB_INLINE l4_msgtag_t l4_ipc(l4_cap_idx_t dest, l4_umword_t op, l4_utcb_t *utcb,
                                l4_umword_t sent, l4_msgtag_t tag, l4_umword_t *received,
                                l4_timeout_t timeout)
{
  l4_umword_t selector = dest | op;
  l4_umword_t label = sent;
#ifdef __x86_64__
  register l4_umword_t timeouts __asm__("r8") = timeout.raw;
  __asm__ volatile("syscall"
                   : "+a"(tag.raw), "+d"(selector), "+S"(label), "+D"(utcb)
                   : "r"(timeouts)
                   : "rcx", "r11", "r15", "memory", "cc");
#else
  /* The page may destroy ebp, which the compiler does not let us declare. */
  l4_umword_t timeouts = timeout.raw;
  __asm__ volatile("push %%ebp\n\t"
                   "call " L4LAB_TEXT(L4_CALL_PAGE) "\n\t"
                   "pop %%ebp"
                   : "+a"(tag.raw), "+d"(selector), "+S"(label), "+D"(utcb), "+c"(timeouts)
                   :
                   : "ebx", "memory", "cc");
#endif
  if (received)
    *received = label;
  return tag;
}

L4LAB_INLINE l4_msgtag_t l4_ipc_send(l4_cap_idx_t dest, l4_utcb_t *utcb, l4_msgtag_t tag,
                                     l4_timeout_t timeout)
{
  return l4_ipc(dest, L4_SEND, utcb, 0, tag, NULL, timeout);
}

L4LAB_INLINE l4_msgtag_t l4_ipc_call(l4_cap_idx_t dest, l4_utcb_t *utcb, l4_msgtag_t tag,
                                     l4_timeout_t timeout)
{
  return l4_ipc(dest, L4_CALL, utcb, 0, tag, NULL, timeout);
}

L4LAB_INLINE l4_msgtag_t l4_ipc_receive(l4_cap_idx_t source, l4_utcb_t *utcb,
                                        l4_timeout_t timeout)
{
  return l4_ipc(source, L4_RECEIVE, utcb, 0, l4_msgtag(0, 0, 0, 0), NULL, timeout);
}

L4LAB_INLINE l4_msgtag_t l4_ipc_wait(l4_utcb_t *utcb, l4_umword_t *label,
                                     l4_timeout_t timeout)
{
  return l4_ipc(L4_INVALID_REPLY_CAP, L4_WAIT, utcb, 0, l4_msgtag(0, 0, 0, 0), label,
                timeout);
}

L4LAB_INLINE l4_msgtag_t l4_ipc_send_and_wait(l4_cap_idx_t dest, l4_utcb_t *utcb,
                                              l4_msgtag_t tag, l4_umword_t *label,
                                              l4_timeout_t timeout)
{
  return l4_ipc(dest, L4_SEND_AND_WAIT, utcb, 0, tag, label, timeout);
}

L4LAB_INLINE l4_msgtag_t l4_ipc_reply(l4_utcb_t *utcb, l4_msgtag_t tag, l4_timeout_t timeout)
{
  return l4_ipc(L4_INVALID_REPLY_CAP, L4_REPLY, utcb, 0, tag, NULL, timeout);
}

L4LAB_INLINE l4_msgtag_t l4_ipc_reply_and_wait(l4_utcb_t *utcb, l4_msgtag_t tag,
                                               l4_umword_t *label, l4_timeout_t timeout)
{
  return l4_ipc(L4_INVALID_REPLY_CAP, L4_REPLY_AND_WAIT, utcb, 0, tag, label, timeout);
}

/* Sleep; a receive from oneself never ends but by its timeout. */
L4LAB_INLINE l4_msgtag_t l4_ipc_sleep(l4_timeout_t timeout)
{
  return l4_ipc_receive(L4_INVALID_CAP, l4_utcb(), timeout);
}

L4LAB_INLINE void __attribute__((noreturn)) l4_sleep_forever(void)
{
  for (;;)
    l4_ipc_sleep(L4_IPC_NEVER);
}

/* Flexpages and items. */

typedef union l4_fpage_t {
  l4_umword_t raw;
} l4_fpage_t;

enum {
  L4_PAGESHIFT = L4_PAGE_SHIFT,
  L4_PAGESIZE = L4_PAGE_SIZE,

  L4_FPAGE_X = L4_PAGE_X,
  L4_FPAGE_W = L4_PAGE_W,
  L4_FPAGE_RO = L4_PAGE_R,
  L4_FPAGE_RW = L4_PAGE_R | L4_PAGE_W,
  L4_FPAGE_RX = L4_PAGE_R | L4_PAGE_X,
  L4_FPAGE_RWX = L4_PAGE_R | L4_PAGE_W | L4_PAGE_X,

  L4_CAP_FPAGE_R = L4_RIGHT_R,
  L4_CAP_FPAGE_RW = L4_RIGHT_R | L4_RIGHT_W,
  L4_CAP_FPAGE_RS = L4_RIGHT_R | L4_RIGHT_S,
  L4_CAP_FPAGE_RWS = L4_RIGHT_R | L4_RIGHT_W | L4_RIGHT_S,
  L4_CAP_FPAGE_RWSD = L4_RIGHT_R | L4_RIGHT_W | L4_RIGHT_S | L4_RIGHT_D,

  L4_MAP_ITEM_MAP = 0,
  L4_MAP_ITEM_GRANT = L4_ITEM_GRANT,

  L4_RCV_ITEM_SINGLE_CAP = L4_ITEM_MAP | L4_ITEM_SMALL,
  L4_RCV_ITEM_LOCAL_ID = L4_ITEM_LOCAL_ID,
};

L4LAB_INLINE l4_fpage_t l4lab_fpage(l4_umword_t base, unsigned kind, unsigned order,
                                    unsigned rights)
{
  l4_fpage_t fpage;
  fpage.raw = base | order << L4_FPAGE_ORDER_SHIFT | kind << L4_FPAGE_KIND_SHIFT | rights;
  return fpage;
}

/* 2^order bytes of memory. */
L4LAB_INLINE l4_fpage_t l4_fpage(l4_umword_t address, unsigned order, unsigned rights)
{
  return l4lab_fpage(address & (l4_umword_t)-L4_PAGESIZE, 1, order, rights);
}

/* 2^order capabilities. */
L4LAB_INLINE l4_fpage_t l4_obj_fpage(l4_cap_idx_t cap, unsigned order, unsigned rights)
{
  return l4lab_fpage(cap & (l4_umword_t)-L4_PAGESIZE, 3, order, rights);
}

L4LAB_INLINE l4_fpage_t l4_fpage_invalid(void) { return l4lab_fpage(0, 0, 0, 0); }

/* The first word of an item that is sent: where in the receive window the mapping goes. */
L4LAB_INLINE l4_umword_t l4_map_control(l4_umword_t hot_spot, unsigned caching, unsigned grant)
{
  return (hot_spot & (l4_umword_t)-L4_PAGESIZE) | caching | grant | L4_ITEM_MAP;
}

L4LAB_INLINE l4_umword_t l4_map_obj_control(l4_umword_t hot_spot, unsigned grant)
{
  return l4_map_control(hot_spot, 0, grant);
}

/* Put an item behind what `tag` counts; gives the tag that counts it too. */
L4LAB_INLINE l4_msgtag_t l4_sndfpage_add_u(l4_fpage_t fpage, l4_umword_t control,
                                           l4_msgtag_t tag, l4_utcb_t *utcb)
{
  l4_msg_regs_t *regs = l4_utcb_mr_u(utcb);
  unsigned at = l4_msgtag_words(tag) + 2 * l4_msgtag_items(tag);
  regs->mr[at] = control;
  regs->mr[at + 1] = fpage.raw;
  return l4_msgtag(l4_msgtag_label(tag), l4_msgtag_words(tag), l4_msgtag_items(tag) + 1,
                   l4_msgtag_flags(tag));
}

L4LAB_INLINE l4_msgtag_t l4_sndfpage_add(l4_fpage_t fpage, l4_umword_t control,
                                         l4_msgtag_t tag)
{
  return l4_sndfpage_add_u(fpage, control, tag, l4_utcb());
}

/* Whether the first word of a received item says that a capability has arrived. */
L4LAB_INLINE int l4lab_cap_received(l4_umword_t item) { return (item & 0x3e) == 0x38; }

/* Let one capability in with the next message, whichever that is, and nothing else. */
L4LAB_INLINE void l4lab_receive_cap(l4_cap_idx_t cap)
{
  l4_buf_regs_t *buffers = l4_utcb_br();
  buffers->bdr = 0;
  buffers->br[0] = cap | L4_RCV_ITEM_SINGLE_CAP;
  buffers->br[1] = 0;
}

/* Kernel objects.  Each function below is a call and takes its parameters through the
 * message registers; those that make an object take the first buffer registers, too. */

L4LAB_INLINE long l4_error(l4_msgtag_t tag)
{
  if (l4_msgtag_has_error(tag))
    return -(long)(2000 + l4_ipc_error(tag, l4_utcb()));
  return l4_msgtag_label(tag);
}

L4LAB_INLINE l4_msgtag_t l4_factory_create_thread(l4_cap_idx_t factory, l4_cap_idx_t target)
{
  l4lab_receive_cap(target);
  l4_utcb_mr()->mr[0] = (l4_umword_t)L4_PROTO_THREAD;
  return l4_ipc_call(factory, l4_utcb(), l4_msgtag(L4_PROTO_FACTORY, 1, 0, 0), L4_IPC_NEVER);
}

/* Make a gate, bound to `thread` unless that is invalid. */
L4LAB_INLINE l4_msgtag_t l4_factory_create_gate(l4_cap_idx_t factory, l4_cap_idx_t target,
                                                l4_cap_idx_t thread, l4_umword_t label)
{
  enum { AN_UNSIGNED = 1 };
  l4_msg_regs_t *regs = l4_utcb_mr();
  l4_msgtag_t tag = l4_msgtag(L4_PROTO_FACTORY, 3, 0, 0);
  l4lab_receive_cap(target);
  regs->mr[0] = 0;
  regs->mr[1] = sizeof(label) << 16 | AN_UNSIGNED;
  regs->mr[2] = label;
  if (!(thread & L4_CAP_INVALID_BIT))
    tag = l4_sndfpage_add(l4_obj_fpage(thread, 0, L4_CAP_FPAGE_RWS), l4_map_obj_control(0, 0),
                          tag);
  return l4_ipc_call(factory, l4_utcb(), tag, L4_IPC_NEVER);
}

/* Thread control: the words are set up by the functions from _start on, and nothing else
 * may come between them and _commit. */

L4LAB_INLINE void l4_thread_control_start(void)
{
  l4_utcb_mr()->mr[0] = L4_THREAD_CONTROL;
}

L4LAB_INLINE void l4_thread_control_pager(l4_cap_idx_t pager)
{
  l4_utcb_mr()->mr[0] |= L4_CONTROL_SET_PAGER;
  l4_utcb_mr()->mr[1] = pager;
}

L4LAB_INLINE void l4_thread_control_exc_handler(l4_cap_idx_t handler)
{
  l4_utcb_mr()->mr[0] |= L4_CONTROL_SET_HANDLER;
  l4_utcb_mr()->mr[2] = handler;
}

L4LAB_INLINE void l4_thread_control_bind(l4_utcb_t *utcb, l4_cap_idx_t task)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  regs->mr[0] |= L4_CONTROL_BIND;
  regs->mr[5] = (l4_umword_t)utcb;
  regs->mr[6] = l4_map_obj_control(0, 0);
  regs->mr[7] = l4_obj_fpage(task, 0, L4_CAP_FPAGE_RWS).raw;
}

L4LAB_INLINE l4_msgtag_t l4_thread_control_commit(l4_cap_idx_t thread)
{
  unsigned items = (l4_utcb_mr()->mr[0] & L4_CONTROL_BIND) != 0;
  return l4_ipc_call(thread, l4_utcb(), l4_msgtag(L4_PROTO_THREAD, 6, items, 0),
                     L4_IPC_NEVER);
}

/* Let a thread go on at `ip` with stack `sp`; all ones leave them as they are. */
L4LAB_INLINE l4_msgtag_t l4_thread_ex_regs(l4_cap_idx_t thread, l4_umword_t ip,
                                           l4_umword_t sp, l4_umword_t flags)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  regs->mr[0] = L4_THREAD_EX_REGS | flags;
  regs->mr[1] = ip;
  regs->mr[2] = sp;
  return l4_ipc_call(thread, l4_utcb(), l4_msgtag(L4_PROTO_THREAD, 3, 0, 0), L4_IPC_NEVER);
}

/* Give a thread a priority and let it run, on whichever CPU. */
L4LAB_INLINE l4_msgtag_t l4lab_run_thread(l4_cap_idx_t scheduler, l4_cap_idx_t thread,
                                          l4_umword_t priority)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  regs->mr[0] = L4_SCHEDULER_RUN_THREAD;
  regs->mr[1] = 0;
  regs->mr[2] = 1;
  regs->mr[3] = priority;
  regs->mr[4] = 0;
  return l4_ipc_call(scheduler, l4_utcb(),
                     l4_sndfpage_add(l4_obj_fpage(thread, 0, L4_CAP_FPAGE_RWS),
                                     l4_map_obj_control(0, 0),
                                     l4_msgtag(L4_PROTO_SCHEDULER, 5, 0, 0)),
                     L4_IPC_NEVER);
}

/* Map a flexpage of task `source` to task `target`; `base` is the first word of an item. */
L4LAB_INLINE l4_msgtag_t l4_task_map(l4_cap_idx_t target, l4_cap_idx_t source,
                                     l4_fpage_t fpage, l4_umword_t base)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  regs->mr[0] = L4_TASK_MAP;
  regs->mr[1] = base | L4_ITEM_MAP;
  regs->mr[2] = fpage.raw;
  return l4_ipc_call(target, l4_utcb(),
                     l4_sndfpage_add(l4_obj_fpage(source, 0, L4_CAP_FPAGE_RWS),
                                     l4_map_obj_control(0, 0),
                                     l4_msgtag(L4_PROTO_TASK, 3, 0, 0)),
                     L4_IPC_NEVER);
}

/* What to unmap: only from those who got it of this task, here too, or the object itself. */
#define L4_FP_OTHER_SPACES ((l4_umword_t)0)
#define L4_FP_ALL_SPACES ((l4_umword_t)L4_UNMAP_SELF)
#define L4_FP_DELETE_OBJ ((l4_umword_t)(L4_UNMAP_SELF | L4_UNMAP_DELETE))

L4LAB_INLINE l4_msgtag_t l4_task_unmap(l4_cap_idx_t task, l4_fpage_t fpage,
                                       l4_umword_t mask)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  regs->mr[0] = L4_TASK_UNMAP;
  regs->mr[1] = mask;
  regs->mr[2] = fpage.raw;
  return l4_ipc_call(task, l4_utcb(), l4_msgtag(L4_PROTO_TASK, 3, 0, 0), L4_IPC_NEVER);
}

/* The log. */

/* Print `length` bytes.  The log gets them through the message registers: mr[0], mr[1] and
 * as many words from mr[2] on as the text takes are overwritten, and nothing gives them
 * back. */
L4LAB_FUNCTION void log_write(const char *text, size_t length)
{
  const size_t limit = (UTCB_MR_COUNT - 2) * sizeof(l4_umword_t);
  l4_msg_regs_t *regs = l4_utcb_mr();
  while (length) {
    size_t part = length < limit ? length : limit;
    volatile char *to = (volatile char *)&regs->mr[2];
    for (size_t i = 0; i < part; i++)
      to[i] = text[i];
    regs->mr[0] = L4_VCON_WRITE;
    regs->mr[1] = part;
    unsigned words = 2 + (part + sizeof(l4_umword_t) - 1) / sizeof(l4_umword_t);
    l4_ipc_send(L4_CAP_LOG, l4_utcb(), l4_msgtag(L4_PROTO_LOG, words, 0, L4_TAG_SCHEDULE),
                L4_IPC_NEVER);
    text += part;
    length -= part;
  }
}

L4LAB_FUNCTION void log_puts(const char *text)
{
  size_t length = 0;
  while (text[length])
    length++;
  log_write(text, length);
}

L4LAB_FUNCTION void log_dec(l4_mword_t value)
{
  char digits[24];
  char *first = digits + sizeof(digits);
  l4_umword_t rest = value < 0 ? -(l4_umword_t)value : (l4_umword_t)value;
  do
    *--first = (char)('0' + rest % 10);
  while (rest /= 10);
  if (value < 0)
    *--first = '-';
  log_write(first, (size_t)(digits + sizeof(digits) - first));
}

L4LAB_FUNCTION void log_hex(l4_umword_t value)
{
  char digits[24];
  char *first = digits + sizeof(digits);
  do
    *--first = "0123456789abcdef"[value % 16];
  while (value /= 16);
  *--first = 'x';
  *--first = '0';
  log_write(first, (size_t)(digits + sizeof(digits) - first));
}

#ifdef __cplusplus
}
#endif

#endif
