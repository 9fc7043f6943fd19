/* Case 15 in C, cured: what was saved is restored, on every way; see buggy.c. */
#include "corpus.h"

static l4_umword_t recorded;

/* Have the other server record that a request came; it may know that already (101). */
static void record(void)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  l4_msg_regs_t saved = *regs;
  regs->mr[0] = OP_TELL;
  regs->mr[1] = 3;
  l4_ipc_call(OTHER, l4_utcb(), l4_msgtag(PROTO_OTHER, 2, 0, 0), L4_IPC_NEVER);
  if (regs->mr[0] != 101)
    recorded++;
  *regs = saved; /* the cure */
}

static l4_msgtag_t dispatch(l4_msgtag_t tag)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  (void)tag;
  if (regs->mr[0] != OP_DOUBLE)
    return l4_msgtag(-L4_ENOSYS, 0, 0, 0);
  record();
  l4_umword_t number = regs->mr[1];
  regs->mr[0] = 2 * number;
  return l4_msgtag(L4_EOK, 1, 0, 0);
}

int main(void)
{
  serve(dispatch);
}
