/* Case 17 in C: a backup of the typed items at the wrong offset.
 *
 * NRE (the NOVA runtime environment) commit a7beeef (2012): the place of the items was
 * computed wrongly; amd64/buggy.s has the whole story.
 *
 * Guilty: the restore of the items, one place too far.
 * Cure:   the same offset in both directions: fixed.c.
 */
#include "corpus.h"

enum { WORDS = 2 };

/* Have the other server record that a request came. */
static void record(void)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  regs->mr[0] = OP_TELL;
  regs->mr[1] = 3;
  l4_ipc_call(OTHER, l4_utcb(), l4_msgtag(PROTO_OTHER, 2, 0, 0), L4_IPC_NEVER);
}

static void guarded_record(void)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  l4_umword_t words[WORDS] = {regs->mr[0], regs->mr[1]};
  l4_umword_t item[2] = {regs->mr[WORDS], regs->mr[WORDS + 1]};
  record();
  regs->mr[0] = words[0];
  regs->mr[1] = words[1];
  regs->mr[WORDS + 1] = item[0]; /* GUILTY: not where it came from */
  regs->mr[WORDS + 2] = item[1];
}

static l4_msgtag_t dispatch(l4_msgtag_t tag)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  (void)tag;
  guarded_record();
  l4_umword_t first = regs->mr[2];  /* wrong: nobody put this word back */
  l4_umword_t second = regs->mr[3]; /* this is the word before */
  regs->mr[0] = first + second;
  return l4_msgtag(L4_EOK, 1, 0, 0);
}

int main(void)
{
  serve(dispatch);
}
