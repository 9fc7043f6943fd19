/* Case 11 in C, cured: the text is written in pieces that fit; see buggy.c. */
#include "corpus.h"

enum { OP_WRITE = 2, ROOM = (UTCB_MR_COUNT - 2) * sizeof(l4_umword_t) };

static void write_piece(unsigned part)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  volatile char *text = (volatile char *)&regs->mr[2];
  for (unsigned k = 0; k < part; k++)
    text[k] = 'x';
  regs->mr[0] = OP_WRITE;
  regs->mr[1] = part;
  unsigned words = 2 + (part + sizeof(l4_umword_t) - 1) / sizeof(l4_umword_t);
  l4_ipc_call(SERVER, l4_utcb(), l4_msgtag(PROTO_SERVER, words, 0, 0), L4_IPC_NEVER);
}

static void write_text(unsigned length)
{
  while (length) {
    unsigned part = length < ROOM ? length : ROOM; /* the cure */
    write_piece(part);
    length -= part;
  }
}

int main(void)
{
  write_text(ROOM + 12);
  return 0;
}
