/* A small root task: its pages come from sigma0, and so does all that it asks for.
 *
 * It is loaded at its own addresses but nothing of it is mapped: already the first
 * instruction is a page fault, which the kernel sends to sigma0.
 */
#include "l4lab.h"

enum {
  REQUEST_ANY_PAGE = 0x90,
  REQUEST_KIP = 0xa0,
  MAP_ITEM = 8,
  PAGE = 12,
  MEMORY = 1 << 4,
  RWX = 7,
  WINDOW = 0x10000000, /* where this task puts what it gets */
};

static char stack[8192] __attribute__((aligned(16), used));
__asm__(".globl l4lab_own_stack_end\n.set l4lab_own_stack_end, stack + 8192\n");

volatile l4_umword_t in_bss[2048];

static l4_msgtag_t request(l4_umword_t what, l4_umword_t window)
{
  l4_utcb_t *utcb = l4_utcb();
  l4_buf_regs_t *buffers = l4_utcb_br();
  buffers->bdr = 0;
  buffers->br[0] = MAP_ITEM;
  buffers->br[1] = window | PAGE << 6 | MEMORY | RWX;
  l4_utcb_mr()->mr[0] = ~(l4_umword_t)0xff | what;
  l4_utcb_mr()->mr[1] = PAGE << 6;
  return l4_ipc_call(L4_CAP_PAGER, utcb, l4_msgtag(L4_PROTO_SIGMA0, 2, 0, 0), L4_IPC_NEVER);
}

int main(void)
{
  in_bss[2047] = 41;
  in_bss[2047]++;
  log_puts("root: bss works, ");
  log_dec((l4_mword_t)in_bss[2047]);
  log_puts("\n");

  l4_msgtag_t tag = request(REQUEST_KIP, WINDOW);
  log_puts("root: kernel info page ");
  log_hex(l4_msgtag_items(tag) ? *(const uint32_t *)WINDOW : 0);
  log_puts("\n");

  unsigned pages = 0;
  for (;; pages++) {
    tag = request(REQUEST_ANY_PAGE, WINDOW + 0x1000 * (pages + 1));
    if (l4_msgtag_label(tag) < 0)
      break;
    *(volatile l4_umword_t *)(uintptr_t)(WINDOW + 0x1000 * (pages + 1)) = pages;
  }
  log_puts("root: took ");
  log_dec((l4_mword_t)pages);
  log_puts(" pages, then ");
  log_dec(l4_msgtag_label(tag));
  log_puts("\n");
  return 0;
}
