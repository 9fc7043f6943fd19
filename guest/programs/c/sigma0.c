/* A small sigma0: it owns all memory, and gives pages to the root task.
 *
 * It has no stack, no pager and nothing mapped when it starts: the kernel shows it every
 * page of RAM that it touches, at its own address.  It serves the page faults of its
 * clients, and two of the requests of the sigma0 protocol: the kernel info page, and any
 * free page.
 */
#include "l4lab.h"

enum {
  REQUEST_ANY_PAGE = 0x90,
  REQUEST_KIP = 0xa0,
  MAP_ITEM = 8,
  CACHED = 0x30,
  PAGE = 12, /* order */
  MEMORY = 1 << 4,
  RX = 5,
  RWX = 7,
  ENOSYS = 38,
  ENOMEM = 12,
};

enum { FIRST_FREE = 0x2000000, LAST_FREE = 0x2010000 };

static char stack[8192] __attribute__((aligned(16), used));
__asm__(".globl l4lab_own_stack_end\n.set l4lab_own_stack_end, stack + 8192\n");

static l4_umword_t next_free = FIRST_FREE;

static l4_msgtag_t give(l4_umword_t page, l4_umword_t rights)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  regs->mr[0] = page | CACHED | MAP_ITEM;
  regs->mr[1] = page | PAGE << 6 | MEMORY | rights;
  return l4_msgtag(0, 0, 1, 0);
}

static l4_msgtag_t dispatch(l4_msgtag_t tag)
{
  /* Both words at once: what follows may use the message registers. */
  l4_umword_t first = l4_utcb_mr()->mr[0];
  if (l4_msgtag_label(tag) == L4_PROTO_PAGE_FAULT)
    return give(first & ~0xfffUL, RWX);
  if (l4_msgtag_label(tag) != L4_PROTO_SIGMA0)
    return l4_msgtag(-ENOSYS, 0, 0, 0);
  if ((first & 0xff) == REQUEST_KIP)
    return give(l4lab_argument, RX);
  if ((first & 0xff) != REQUEST_ANY_PAGE)
    return l4_msgtag(-ENOSYS, 0, 0, 0);
  if (next_free >= LAST_FREE)
    return l4_msgtag(-ENOMEM, 0, 0, 0);
  next_free += 4096;
  return give(next_free - 4096, RWX);
}

int main(void)
{
  l4_umword_t label;
  const uint32_t *kip = (const uint32_t *)l4lab_argument;
  log_puts("sigma0: kernel info page ");
  log_hex(*kip);
  log_puts("\n");
  l4_msgtag_t tag = l4_ipc_wait(l4_utcb(), &label, L4_IPC_NEVER);
  for (;;) {
    tag = dispatch(tag);
    tag = l4_ipc_reply_and_wait(l4_utcb(), tag, &label, L4_IPC_SEND_TIMEOUT_0);
  }
}
