/* The consumer of page_sharing: reads a page that the owner maps, revokes, and maps again
 * on demand. */
#include "l4lab.h"
#include "page_sharing.h"

volatile l4_umword_t mapped, paged;

static long ask(l4_umword_t operation)
{
  l4_utcb_mr()->mr[0] = operation;
  return l4_error(
      l4_ipc_call(L4_CAP_PAGER, l4_utcb(), l4_msgtag(PROTO_SHARING, 1, 0, 0), L4_IPC_NEVER));
}

int main(void)
{
  const volatile l4_umword_t *page = (const volatile l4_umword_t *)(l4_umword_t)WINDOW;
  long shared = ask(OP_SHARE);
  mapped = page[0]; /* no page fault */
  long revoked = ask(OP_REVOKE);
  paged = page[0]; /* a page fault */
  log_puts("consumer: shared, error ");
  log_dec(shared);
  log_puts(", read ");
  log_dec((l4_mword_t)mapped);
  log_puts("\nconsumer: revoked, error ");
  log_dec(revoked);
  log_puts(", read ");
  log_dec((l4_mword_t)paged);
  log_puts("\n");
  return 0;
}
