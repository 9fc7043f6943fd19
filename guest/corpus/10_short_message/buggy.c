/* Case 10 in C: a message that is too short is not noticed.
 *
 * L4Re, io commit 061a31c (2016, #335): the server "would use any value that resides in its
 * utcb ... from a previous request"; amd64/buggy.s has the whole story.
 *
 * Guilty: the load of mr[1] when one word has come.
 * Cure:   count the words: fixed.c.
 */
#include "corpus.h"

static l4_msgtag_t dispatch(l4_msgtag_t tag)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  (void)tag;
  if (regs->mr[0] != OP_DOUBLE)
    return l4_msgtag(-L4_ENOSYS, 0, 0, 0);
  l4_umword_t number = regs->mr[1]; /* GUILTY: it may not be there */
  regs->mr[0] = 2 * number;
  return l4_msgtag(L4_EOK, 1, 0, 0);
}

int main(void)
{
  serve(dispatch);
}
