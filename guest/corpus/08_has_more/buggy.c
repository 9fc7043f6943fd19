/* Case 8 in C: words compared with bytes.
 *
 * L4Re, l4re-core commit ad3cfa10b (2016): has_more() compared a position in one unit with a
 * size in the other; amd64/buggy.s has the whole story.
 *
 * Guilty: the load in sum, which goes on behind the last word.
 * Cure:   compare words with words: fixed.c.
 */
#include "corpus.h"

enum { AT_MOST = 4 }; /* numbers in a message, says the protocol */

static int has_more(unsigned at, unsigned words)
{
  unsigned size = words * sizeof(l4_umword_t); /* the mistake: these are bytes */
  return at < size && at < AT_MOST;
}

/* Add up the numbers of a message. */
static l4_msgtag_t sum(l4_msgtag_t tag)
{
  const l4_msg_regs_t *regs = l4_utcb_mr();
  l4_umword_t total = 0;
  for (unsigned k = 0; has_more(k, l4_msgtag_words(tag)); k++)
    total += regs->mr[k]; /* GUILTY, from the tag's words on */
  l4_utcb_mr()->mr[0] = total;
  return l4_msgtag(L4_EOK, 1, 0, 0);
}

int main(void)
{
  serve(sum);
}
