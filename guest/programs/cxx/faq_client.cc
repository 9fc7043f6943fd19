// The client of the faq_ scenarios: it asks the doubler to double 42.
//
// Before that it asks in a language that the server does not speak, and for something that
// the server cannot do: both are refused with an error in the label of the reply.

#include "faq.h"
#include "l4lab_stream.hpp"

unsigned long volatile result;

static long ask(long protocol, L4lab::Opcode opcode, unsigned long number, unsigned long *reply)
{
  L4lab::Ipc::Iostream ios(l4_utcb());
  ios << opcode << number;
  l4_msgtag_t tag = ios.call(L4_CAP(CAP_DOUBLER), protocol);
  ios >> *reply;
  return l4_msgtag_label(tag);
}

int main()
{
  unsigned long reply;
  long error = ask(PROTO_NOTIFIER, OP_DOUBLE, 42, &reply);
  log_puts("client: wrong protocol gives ");
  log_dec(error);
  log_puts("\n");

  error = ask(PROTO_DOUBLER, OP_DOUBLE + 1, 42, &reply);
  log_puts("client: wrong opcode gives ");
  log_dec(error);
  log_puts("\n");

  ask(PROTO_DOUBLER, OP_DOUBLE, 42, &reply);
  result = reply;
  log_puts("client: sent 42, got ");
  log_dec(l4_mword_t(reply));
  log_puts(" (84 expected)\n");
  return 0;
}
