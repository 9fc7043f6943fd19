/* Innocent: a function does a call and returns a pointer to the answer, where it lies in the
 * UTCB.  The caller reads it before it does anything else.
 *
 * This is how L4Re's Rm::get_regions gives its list.  The pointer was made in a function that
 * has returned, and dies with the next call; until then it is good.
 */
#include "corpus.h"

/* Ask the other server for its list. */
static const l4_umword_t *get_list(void)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  regs->mr[0] = OP_TELL;
  l4_ipc_call(OTHER, l4_utcb(), l4_msgtag(PROTO_OTHER, 1, 0, 0), L4_IPC_NEVER);
  return regs->mr;
}

static l4_msgtag_t dispatch(l4_msgtag_t tag)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  (void)tag;
  l4_umword_t number = regs->mr[1];
  const l4_umword_t *list = get_list();
  number = 2 * number + list[0] + list[1] - 203; /* 101 and 102 */
  regs->mr[0] = number;
  return l4_msgtag(L4_EOK, 1, 0, 0);
}

int main(void)
{
  serve(dispatch);
}
