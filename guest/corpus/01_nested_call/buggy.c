/* Case 1 in C: a nested call between two reads of one message.
 *
 * The TUDOS wiki's FAQ (2012) tells people with wrong parameters to read all of a request
 * before any IPC of their own; amd64/buggy.s has the whole story.  notify is a function
 * here, but a compiler may inline it: then only debug information still knows whose call
 * it is.
 *
 * Guilty: the load of mr[1] after the call of notify.  The client gets 204, not 84.
 */
#include "corpus.h"

static void notify(void)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  regs->mr[0] = OP_TELL;
  regs->mr[1] = 3;
  l4_ipc_call(OTHER, l4_utcb(), l4_msgtag(PROTO_OTHER, 2, 0, 0), L4_IPC_NEVER);
}

static l4_msgtag_t dispatch(l4_msgtag_t tag)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  (void)tag;
  if (regs->mr[0] != OP_DOUBLE)
    return l4_msgtag(-L4_ENOSYS, 0, 0, 0);
  notify();
  l4_umword_t number = regs->mr[1]; /* GUILTY: this is the other server's 102 */
  regs->mr[0] = 2 * number;
  return l4_msgtag(L4_EOK, 1, 0, 0);
}

int main(void)
{
  serve(dispatch);
}
