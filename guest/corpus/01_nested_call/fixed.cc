// Case 1 in C++, cured: every parameter is read before the nested call; see buggy.cc.

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
  ios >> op;
  if (op != OP_DOUBLE)
    return -L4_ENOSYS;
  ios >> number; // the cure
  notify();
  ios << 2 * number;
  return L4_EOK;
}

static Server server;

int main()
{
  L4lab::Server<>(l4_utcb()).loop(server);
}
