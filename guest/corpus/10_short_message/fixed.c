/* Case 10 in C, cured: the words are counted before any is used; see buggy.c. */
#include "corpus.h"

static l4_msgtag_t dispatch(l4_msgtag_t tag)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  if (l4_msgtag_words(tag) < 2)
    return l4_msgtag(-L4_EMSGTOOSHORT, 0, 0, 0); /* the cure */
  if (regs->mr[0] != OP_DOUBLE)
    return l4_msgtag(-L4_ENOSYS, 0, 0, 0);
  l4_umword_t number = regs->mr[1];
  regs->mr[0] = 2 * number;
  return l4_msgtag(L4_EOK, 1, 0, 0);
}

int main(void)
{
  serve(dispatch);
}
