/* Innocent: all message registers are saved around a nested call and restored; then one is
 * sent in reply.
 *
 * 62 words were stored and do not go along.  That is no mistake in the count of the reply:
 * they were put back where they came from.
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
  l4_msg_regs_t saved = *regs;
  notify();
  *regs = saved;
  regs->mr[0] = 2 * regs->mr[1];
  return l4_msgtag(L4_EOK, 1, 0, 0);
}

int main(void)
{
  serve(dispatch);
}
