/* The classic: a server that does IPC before it has read all its parameters.
 *
 * A client sends an opcode in mr[0] and a number in mr[1], and wants it doubled.  dispatch
 * reads the opcode, tells another server, and only then reads the number.  But a thread has
 * one set of message registers: the nested call put its own request there, and the kernel
 * its reply, whose mr[1] is the number of listeners: 7.  The client gets 14 instead of 84.
 *
 * Guilty: the load of mr[1] after the call of notify_my_other_server.
 * Cures:  faq_read_first.c, faq_saved_utcb.c.
 */
#include "faq.h"
#include "l4lab.h"

/* Tell the other server that something is going on.  An innocent name for a call that needs
 * the message registers: two for its request, two for the reply that it ignores. */
static __attribute__((noinline)) void notify_my_other_server(void)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  regs->mr[0] = OP_NOTIFY;
  regs->mr[1] = 3;
  l4_ipc_call(L4_CAP(CAP_NOTIFIER), l4_utcb(), l4_msgtag(PROTO_NOTIFIER, 2, 0, 0),
              L4_IPC_NEVER);
}

static __attribute__((noinline)) l4_msgtag_t dispatch(l4_msgtag_t tag)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  if (l4_msgtag_label(tag) != PROTO_DOUBLER)
    return l4_msgtag(-L4_EBADPROTO, 0, 0, 0);
  if (regs->mr[0] != OP_DOUBLE)
    return l4_msgtag(-L4_ENOSYS, 0, 0, 0);
  notify_my_other_server();
  l4_umword_t number = regs->mr[1]; /* GUILTY: the client's 42 is gone since the call */
  regs->mr[0] = 2 * number;
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
