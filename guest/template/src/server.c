/* A server that doubles numbers.
 *
 * All parameters are read before anything else is called: a thread has one set of message
 * registers, and log_puts sends a message of its own, which overwrites the client's.
 */
#include "doubler.h"
#include "l4lab.h"

volatile l4_umword_t requests;

static __attribute__((noinline)) l4_msgtag_t dispatch(l4_msgtag_t tag)
{
  if (l4_msgtag_label(tag) != PROTO_DOUBLER || l4_msgtag_words(tag) != 1)
    return l4_msgtag(-L4_EBADPROTO, 0, 0, 0);
  l4_umword_t number = l4_utcb_mr()->mr[0];
  log_puts("doubler: a request\n");
  requests++;
  l4_utcb_mr()->mr[0] = 2 * number;
  return l4_msgtag(L4_EOK, 1, 0, 0);
}

int main(void)
{
  l4_umword_t label;
  l4_msgtag_t tag = l4_ipc_wait(l4_utcb(), &label, L4_IPC_NEVER);
  for (;;)
    if (l4_msgtag_has_error(tag))
      tag = l4_ipc_wait(l4_utcb(), &label, L4_IPC_NEVER);
    else
      tag = l4_ipc_reply_and_wait(l4_utcb(), dispatch(tag), &label, L4_IPC_SEND_TIMEOUT_0);
}
