/* A client of the doubler. */
#include "doubler.h"
#include "l4lab.h"

int main(void)
{
  l4_utcb_mr()->mr[0] = 42;
  l4_msgtag_t tag = l4_ipc_call(L4_CAP(CAP_DOUBLER), l4_utcb(),
                                l4_msgtag(PROTO_DOUBLER, 1, 0, 0), L4_IPC_NEVER);
  l4_umword_t result = l4_utcb_mr()->mr[0]; /* before anything is printed */
  if (l4_error(tag))
    log_puts("client: the doubler refused\n");
  log_puts("client: twice 42 is ");
  log_dec((l4_mword_t)result);
  log_puts("\n");
  return 0;
}
