/* Case 16 in C, cured: the message is read first; see buggy.c. */
#include "corpus.h"

#define SLOT L4_CAP(0x11)

static volatile l4_mword_t taken;

/* Find out whether the slot for the reply capability is free. */
static void save_reply(void)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  regs->mr[0] = L4_TASK_CAP_INFO;
  regs->mr[1] = SLOT;
  taken = l4_msgtag_label(
      l4_ipc_call(L4_CAP_TASK, l4_utcb(), l4_msgtag(L4_PROTO_TASK, 2, 0, 0), L4_IPC_NEVER));
}

static l4_msgtag_t dispatch(l4_msgtag_t tag)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  (void)tag;
  if (regs->mr[0] != OP_DOUBLE)
    return l4_msgtag(-L4_ENOSYS, 0, 0, 0);
  l4_umword_t number = regs->mr[1]; /* the cure */
  save_reply();
  regs->mr[0] = 2 * number;
  return l4_msgtag(L4_EOK, 1, 0, 0);
}

int main(void)
{
  serve(dispatch);
}
