// Case 1 in C++, with message streams as in the FAQ: a nested call between two `>>`.
//
// The TUDOS wiki's FAQ (2012) tells people with wrong parameters to take all of a request out
// of the stream before any IPC of their own; amd64/buggy.s has the whole story.
//
// Guilty: `ios >> number` after the call of notify.  The client gets 204, not 84.

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
  notify();
  ios >> number; // GUILTY: this is the other server's 102
  ios << 2 * number;
  return L4_EOK;
}

static Server server;

int main()
{
  L4lab::Server<>(l4_utcb()).loop(server);
}
