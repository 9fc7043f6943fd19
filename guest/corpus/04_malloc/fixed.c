/* Case 4 in C, cured as L4Re did it: what asks for memory saves and restores; see buggy.c. */
#include "corpus.h"

static l4_umword_t cells[16];
static l4_umword_t stock;

/* Ask for memory for more cells. */
static void more_cells(void)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  l4_msg_regs_t saved = *regs; /* the cure: save ... */
  regs->mr[0] = OP_TELL;
  regs->mr[1] = 16;
  l4_ipc_call(OTHER, l4_utcb(), l4_msgtag(PROTO_OTHER, 2, 0, 0), L4_IPC_NEVER);
  *regs = saved; /* ... and restore */
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
  *cell = regs->mr[1]; /* innocent: restored */
  regs->mr[0] = 2 * *cell;
  return l4_msgtag(L4_EOK, 1, 0, 0);
}

int main(void)
{
  serve(dispatch);
}
