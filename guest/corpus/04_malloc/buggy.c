/* Case 4 in C: malloc does IPC.
 *
 * L4Re, l4re-core commit bdf16a353 (2025, CD-1580): the C library's malloc maps memory by a
 * call when it has none left; amd64/buggy.s has the whole story.
 *
 * Guilty: the load of mr[1] after the call of take_cell, which is malloc.
 * Cure:   let what asks for memory save and restore the message registers: fixed.c.
 */
#include "corpus.h"

static l4_umword_t cells[16];
static l4_umword_t stock;

/* Ask for memory for more cells. */
static void more_cells(void)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  regs->mr[0] = OP_TELL;
  regs->mr[1] = 16;
  l4_ipc_call(OTHER, l4_utcb(), l4_msgtag(PROTO_OTHER, 2, 0, 0), L4_IPC_NEVER);
  stock = 16;
}

static l4_umword_t *take_cell(void)
{
  if (!stock)
    more_cells();
  return &cells[--stock];
}

static l4_msgtag_t dispatch(l4_msgtag_t tag)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  (void)tag;
  if (regs->mr[0] != OP_DOUBLE)
    return l4_msgtag(-L4_ENOSYS, 0, 0, 0);
  volatile l4_umword_t *cell = take_cell();
  *cell = regs->mr[1]; /* GUILTY: take_cell had to ask for memory */
  regs->mr[0] = 2 * *cell;
  return l4_msgtag(L4_EOK, 1, 0, 0);
}

int main(void)
{
  serve(dispatch);
}
