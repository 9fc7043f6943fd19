/* Case 18 in C, cured: the caller's buffer is put back, name or no name; see buggy.c. */
#include "corpus.h"

#define GIVEN L4_CAP(0x40) /* where the client's capability is to go */
#define FOUND L4_CAP(0x41) /* where look_up wants one */

enum { SMALL = 0xa }; /* a buffer for a single capability (ABI 4.9) */

volatile l4_mword_t result;

/* Look up a name, for a capability that would go to FOUND. */
static long look_up(void)
{
  l4_buf_regs_t *buffers = l4_utcb_br();
  l4_umword_t saved = buffers->br[0];
  buffers->br[0] = FOUND | SMALL;
  l4_utcb_mr()->mr[0] = OP_TELL;
  l4_msgtag_t tag =
      l4_ipc_call(OTHER, l4_utcb(), l4_msgtag(PROTO_OTHER, 1, 0, 0), L4_IPC_NEVER);
  buffers->br[0] = saved; /* the cure */
  return l4_msgtag_label(tag);
}

/* Take a capability from a client and have 42 doubled with it. */
static l4_mword_t serve_giver(void)
{
  l4_buf_regs_t *buffers = l4_utcb_br();
  l4_msg_regs_t *regs = l4_utcb_mr();
  l4_umword_t label;
  buffers->bdr = 0;
  buffers->br[0] = GIVEN | SMALL;
  buffers->br[1] = 0;
  __asm__ volatile("" : : : "memory"); /* GCC may not know that look_up stores there, too */
  look_up();
  l4_ipc_wait(l4_utcb(), &label, L4_IPC_NEVER);
  regs->mr[0] = OP_DOUBLE;
  regs->mr[1] = 42;
  l4_msgtag_t tag =
      l4_ipc_call(GIVEN, l4_utcb(), l4_msgtag(PROTO_SERVER, 2, 0, 0), L4_IPC_NEVER);
  if (l4_msgtag_has_error(tag))
    return -(l4_mword_t)l4_ipc_error(tag, l4_utcb());
  return (l4_mword_t)regs->mr[0];
}

int main(void)
{
  result = serve_giver();
  log_puts("server: twice 42 is, says who was given: ");
  log_dec(result);
  log_puts("\n");
  return 0;
}
