/* Innocent: a server puts a request of its own together, has a function do the call, and
 * reads the answer out of the message registers.
 *
 * When the answer is read, the function that made the system call has returned.  But the
 * request was the server's, and so is the answer.
 */
#include "corpus.h"

static void invoke(unsigned words)
{
  l4_ipc_call(OTHER, l4_utcb(), l4_msgtag(PROTO_OTHER, words, 0, 0), L4_IPC_NEVER);
}

static l4_msgtag_t dispatch(l4_msgtag_t tag)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  (void)tag;
  l4_umword_t number = regs->mr[1];
  regs->mr[0] = OP_TELL;
  regs->mr[1] = 3;
  invoke(2);
  regs->mr[0] = 2 * number + regs->mr[1] - 102; /* 102, as the other server has sent it */
  return l4_msgtag(L4_EOK, 1, 0, 0);
}

int main(void)
{
  serve(dispatch);
}
