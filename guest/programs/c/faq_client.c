/* The client of the faq_ scenarios: it asks the doubler to double 42.
 *
 * Before that it asks in a language that the server does not speak, and for something that
 * the server cannot do: both are refused with an error in the label of the reply.
 */
#include "faq.h"
#include "l4lab.h"

volatile l4_umword_t result;

static l4_msgtag_t ask(long protocol, l4_umword_t opcode, l4_umword_t number)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  regs->mr[0] = opcode;
  regs->mr[1] = number;
  return l4_ipc_call(L4_CAP(CAP_DOUBLER), l4_utcb(), l4_msgtag(protocol, 2, 0, 0),
                     L4_IPC_NEVER);
}

int main(void)
{
  l4_msgtag_t tag = ask(PROTO_NOTIFIER, OP_DOUBLE, 42);
  log_puts("client: wrong protocol gives ");
  log_dec(l4_msgtag_label(tag));
  log_puts("\n");

  tag = ask(PROTO_DOUBLER, OP_DOUBLE + 1, 42);
  log_puts("client: wrong opcode gives ");
  log_dec(l4_msgtag_label(tag));
  log_puts("\n");

  ask(PROTO_DOUBLER, OP_DOUBLE, 42);
  result = l4_utcb_mr()->mr[0]; /* before anything is printed */
  log_puts("client: sent 42, got ");
  log_dec((l4_mword_t)result);
  log_puts(" (84 expected)\n");
  return 0;
}
