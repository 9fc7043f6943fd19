/* The client of new_service: asks the broker for a capability, and uses it. */
#include "l4lab.h"

enum { BROKER = 0x20, SERVICE = 0x40 };

volatile l4_umword_t result;

int main(void)
{
  l4lab_receive_cap(L4_CAP(SERVICE));
  l4_msgtag_t tag
      = l4_ipc_call(L4_CAP(BROKER), l4_utcb(), l4_msgtag(0, 0, 0, 0), L4_IPC_NEVER);
  int received = l4_msgtag_items(tag) == 1 && l4lab_cap_received(l4_utcb_mr()->mr[0]);
  log_puts(received ? "client: got a capability\n" : "client: got nothing\n");

  l4_utcb_mr()->mr[0] = 21;
  l4_ipc_call(L4_CAP(SERVICE), l4_utcb(), l4_msgtag(0, 1, 0, 0), L4_IPC_NEVER);
  result = l4_utcb_mr()->mr[0]; /* before anything is printed */
  log_puts("client: twice 21 is ");
  log_dec((l4_mword_t)result);
  log_puts("\n");
  return 0;
}
