/* Case 7 in C: a reply that is sent later, from a UTCB that has moved on.
 *
 * L4Re, l4re-core commit 9bcfa5612 (2026): output arrays of deferred replies were filled in
 * in the message registers, and never copied; amd64/buggy.s has the whole story.
 *
 * Guilty: the reply in finish: mr[1] and mr[2] are the device's by then.
 * Cure:   keep the array and copy it when the reply is sent: fixed.c.
 */
#include "corpus.h"

#define LATER (L4_CAP(1) | L4_CAP_REPLY_BIT) /* an explicit reply slot */

/* Fill in the output array. */
static void begin_read(void)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  regs->mr[1] = 11;
  regs->mr[2] = 22;
}

/* Answer the reader. */
static void finish(void)
{
  l4_utcb_mr()->mr[0] = L4_EOK;
  l4_ipc(LATER, L4_REPLY, l4_utcb(), 0, l4_msgtag(0, 3, 0, 0), NULL,
         L4_IPC_SEND_TIMEOUT_0); /* GUILTY */
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
