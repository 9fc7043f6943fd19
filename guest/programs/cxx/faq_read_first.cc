// The first cure of faq_nested_call.cc: read every parameter, then talk to others.
//
// dispatch takes the number out of the stream into a variable.  After that the nested call
// may do with the message registers what it likes.

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
  ios >> val; // the cure: everything is read before the call
  notify_my_other_server();
  ios << 2 * val;
  return L4_EOK;
}

static Doubler doubler;

int main()
{
  L4lab::Server<> server(l4_utcb());
  server.loop(doubler);
}
