/* Case 7 in C, cured: the output array is kept outside of the UTCB; see buggy.c. */
#include "corpus.h"

#define LATER (L4_CAP(1) | L4_CAP_REPLY_BIT) /* an explicit reply slot */

static l4_umword_t samples[2]; /* the cure */

/* Fill in the output array. */
static void begin_read(void)
{
  samples[0] = 11;
  samples[1] = 22;
}

/* Answer the reader. */
static void finish(void)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  regs->mr[0] = L4_EOK;
  regs->mr[1] = samples[0];
  regs->mr[2] = samples[1];
  l4_ipc(LATER, L4_REPLY, l4_utcb(), 0, l4_msgtag(0, 3, 0, 0), NULL, L4_IPC_SEND_TIMEOUT_0);
}

int main(void)
{
  l4_umword_t label;
  l4_ipc(LATER, L4_WAIT, l4_utcb(), 0, l4_msgtag(0, 0, 0, 0), &label, L4_IPC_NEVER);
  begin_read(); /* for a reader */
  l4_ipc_wait(l4_utcb(), &label, L4_IPC_NEVER);
  finish(); /* the device is ready */
  return 0;
}
