// The classic, in the very shape of the L4Re FAQ: a nested call between two `>>`.
//
// A client sends an opcode and a number, and wants it doubled.  dispatch reads the opcode,
// tells another server, and only then reads the number.  The two streams look like two
// messages, but both walk over the same message registers: the nested call put its own
// request there, and the kernel its reply, whose second word is the number of listeners: 7.
// The client gets 14 instead of 84.
//
// Guilty: `ios >> val` after the call of notify_my_other_server.
// Cures:  faq_read_first.cc, faq_saved_utcb.cc.

#include "faq.h"
#include "l4lab_stream.hpp"

class Doubler : public L4lab::Server_object {
public:
  int dispatch(l4_umword_t rights, L4lab::Ipc::Iostream &ios) override;
};

// Tell the other server that something is going on.  An innocent name for a call that needs
// the message registers: two for its request, two for the reply that it ignores.
static __attribute__((noinline)) void notify_my_other_server()
{
  L4lab::Ipc::Iostream ios(l4_utcb());
  ios << L4lab::Opcode(OP_NOTIFY) << 3UL;
  ios.call(L4_CAP(CAP_NOTIFIER), PROTO_NOTIFIER);
}

int Doubler::dispatch(l4_umword_t, L4lab::Ipc::Iostream &ios)
{
  l4_msgtag_t tag;
  ios >> tag;
  if (l4_msgtag_label(tag) != PROTO_DOUBLER)
    return -L4_EBADPROTO;

  L4lab::Opcode op;
  ios >> op;
  if (op != OP_DOUBLE)
    return -L4_ENOSYS;

  unsigned long val;
  notify_my_other_server();
  ios >> val; // GUILTY: the client's 42 is gone since the call
  ios << 2 * val;
  return L4_EOK;
}

static Doubler doubler;

int main()
{
  L4lab::Server<> server(l4_utcb());
  server.loop(doubler);
}
