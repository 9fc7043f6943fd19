/* Case 8 in C, cured: words are compared with words; see buggy.c. */
#include "corpus.h"

enum { AT_MOST = 4 }; /* numbers in a message, says the protocol */

static int has_more(unsigned at, unsigned words)
{
  return at < words && at < AT_MOST; /* the cure */
}

/* Add up the numbers of a message. */
static l4_msgtag_t sum(l4_msgtag_t tag)
{
  const l4_msg_regs_t *regs = l4_utcb_mr();
  l4_umword_t total = 0;
  for (unsigned k = 0; has_more(k, l4_msgtag_words(tag)); k++)
    total += regs->mr[k];
  l4_utcb_mr()->mr[0] = total;
  return l4_msgtag(L4_EOK, 1, 0, 0);
}

int main(void)
{
  serve(sum);
}
