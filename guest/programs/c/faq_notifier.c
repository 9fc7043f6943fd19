/* The other server of the faq_ scenarios: it tells its listeners about an event.
 *
 * It does no IPC but its log write, and that comes after it has read the request and before
 * it builds the reply: nothing can go wrong here.
 */
#include "faq.h"
#include "l4lab.h"

static l4_umword_t events;

static l4_msgtag_t dispatch(l4_msgtag_t tag)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  if (l4_msgtag_label(tag) != PROTO_NOTIFIER)
    return l4_msgtag(-L4_EBADPROTO, 0, 0, 0);
  if (regs->mr[0] != OP_NOTIFY)
    return l4_msgtag(-L4_ENOSYS, 0, 0, 0);
  log_puts("notifier: told 7 listeners\n");
  regs->mr[0] = ++events;
  regs->mr[1] = LISTENERS;
  return l4_msgtag(L4_EOK, 2, 0, 0);
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
