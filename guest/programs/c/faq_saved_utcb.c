/* The second cure of faq_nested_call.c: save the message registers around the call.
 *
 * dispatch still reads the number after the call, but it copied all message registers to
 * its stack before and copies them back afterwards.  That costs 126 word copies, and is
 * what code must do that cannot know what is still unread: L4Re's printf, for example.
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
  l4_msg_regs_t saved = *regs; /* the cure: save ... */
  notify_my_other_server();
  *regs = saved;                    /* ... and restore */
  l4_umword_t number = regs->mr[1]; /* innocent: this is the client's 42 again */
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
