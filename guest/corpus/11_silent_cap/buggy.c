/* Case 11 in C: a write that is cut short in silence.
 *
 * uvmm commit 2e9cee0 (2017): Vcon::write takes as much text as fits, and callers with more to
 * say did not know; amd64/buggy.s has the whole story.
 *
 * Guilty: write_text, which caps the words and not the length that the message tells.
 * Cure:   write in pieces: fixed.c.
 */
#include "corpus.h"

enum { OP_WRITE = 2, ROOM = (UTCB_MR_COUNT - 2) * sizeof(l4_umword_t) };

static void write_text(unsigned length)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  unsigned part = length < ROOM ? length : ROOM;
  volatile char *text = (volatile char *)&regs->mr[2];
  for (unsigned k = 0; k < part; k++)
    text[k] = 'x';
  regs->mr[0] = OP_WRITE;
  regs->mr[1] = length; /* GUILTY: that much does not go along */
  unsigned words = 2 + (part + sizeof(l4_umword_t) - 1) / sizeof(l4_umword_t);
  l4_ipc_call(SERVER, l4_utcb(), l4_msgtag(PROTO_SERVER, words, 0, 0), L4_IPC_NEVER);
}

int main(void)
{
  write_text(ROOM + 12);
  return 0;
}
