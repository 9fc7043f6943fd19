/* Innocent: a server prints its message registers in hex, for whoever looks for a bug.
 *
 * It reads words that no message has brought, and prints while a request lies there.  But it
 * has read what it needs, and what it read of the rest goes to the console only.
 */
#include "corpus.h"

enum { WORDS = 6 }; /* a few will do */

/* Print some of the message registers, from a copy since printing destroys them. */
static void dump(void)
{
  l4_umword_t copy[WORDS];
  for (int k = 0; k < WORDS; k++)
    copy[k] = l4_utcb_mr()->mr[k];
  for (int k = 0; k < WORDS; k++) {
    char text[6] = "0000 ";
    for (int digit = 0; digit < 4; digit++)
      text[3 - digit] = "0123456789abcdef"[copy[k] >> 4 * digit & 15];
    log_puts(text);
  }
  log_puts("\n");
}

static l4_msgtag_t dispatch(l4_msgtag_t tag)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  (void)tag;
  l4_umword_t number = regs->mr[1];
  dump();
  regs->mr[0] = 2 * number;
  return l4_msgtag(L4_EOK, 1, 0, 0);
}

int main(void)
{
  serve(dispatch);
}
