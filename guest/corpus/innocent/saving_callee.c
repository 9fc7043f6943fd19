/* Innocent: a function of no great name saves the two words that its request needs, and puts
 * them back.
 *
 * The bytes are stored by the server itself, after a nested call, and then read as if the
 * client had sent them.  It has: they are the client's, back in their place.  But that is so
 * only while the answer has no more words than were saved: this one has none.
 */
#include "corpus.h"

static void careful_notify(void)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  l4_umword_t first = regs->mr[0], second = regs->mr[1];
  regs->mr[0] = OP_TELL;
  regs->mr[1] = 3;
  l4_ipc_call(OTHER, l4_utcb(), l4_msgtag(PROTO_OTHER, 2, 0, 0), L4_IPC_NEVER);
  regs->mr[0] = first;
  regs->mr[1] = second;
}

static l4_msgtag_t dispatch(l4_msgtag_t tag)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  (void)tag;
  careful_notify();
  regs->mr[0] = 2 * regs->mr[1];
  return l4_msgtag(L4_EOK, 1, 0, 0);
}

int main(void)
{
  serve(dispatch);
}
