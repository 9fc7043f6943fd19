/* A server that adds one to mr[0]. */
#include "l4lab.h"

int main(void)
{
  l4_umword_t label;
  l4_ipc_wait(l4_utcb(), &label, L4_IPC_NEVER);
  for (;;) {
    l4_utcb_mr()->mr[0]++;
    l4_ipc_reply_and_wait(l4_utcb(), l4_msgtag(0, 1, 0, 0), &label, L4_IPC_SEND_TIMEOUT_0);
  }
}
