/* Case 16 in C: the reply capability is put away before the message is read.
 *
 * CAmkES commit 44cf1ff (2016, CAMKES-438): the kernel was invoked to keep the reply
 * capability, and that trampled the parameters; amd64/buggy.s has the whole story.
 *
 * Guilty: the load of mr[1] after the call of save_reply.
 * Cure:   read first: fixed.c.
 */
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
  save_reply();
  l4_umword_t number = regs->mr[1]; /* GUILTY: this is SLOT */
  regs->mr[0] = 2 * number;
  return l4_msgtag(L4_EOK, 1, 0, 0);
}

int main(void)
{
  serve(dispatch);
}
