// Innocent: a nested call between two `>>`, but from a copy of the stream.
//
// Istream_copy takes all message registers along, words too that no message has brought, and
// puts nothing back.  Neither matters: of what was not delivered nothing is used.

#include "corpus.h"
#include "l4lab_stream.hpp"

class Server : public L4lab::Server_object {
public:
  int dispatch(l4_umword_t rights, L4lab::Ipc::Iostream &ios) override;
};

static void notify()
{
  L4lab::Ipc::Iostream ios(l4_utcb());
  ios << static_cast<unsigned long>(OP_TELL) << 3UL;
  ios.call(OTHER, PROTO_OTHER);
}

int Server::dispatch(l4_umword_t, L4lab::Ipc::Iostream &ios)
{
  unsigned long op, number;
  L4lab::Ipc::Istream_copy copy(ios);
  copy >> op;
  if (op != OP_DOUBLE)
    return -L4_ENOSYS;
  notify();
  copy >> number;
  ios << 2 * number;
  return L4_EOK;
}

static Server server;

int main()
{
  L4lab::Server<>(l4_utcb()).loop(server);
}
