/* Case 1 in C, cured: every parameter is read before the nested call; see buggy.c. */
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
  l4_umword_t number = regs->mr[1]; /* the cure */
  notify();
  regs->mr[0] = 2 * number;
  return l4_msgtag(L4_EOK, 1, 0, 0);
}

int main(void)
{
  serve(dispatch);
}
