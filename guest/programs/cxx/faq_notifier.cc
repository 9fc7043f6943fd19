// The other server of the faq_ scenarios: it tells its listeners about an event.
//
// It does no IPC but its log write, and that comes after it has read the request and before
// it builds the reply: nothing can go wrong here.

#include "faq.h"
#include "l4lab_stream.hpp"

class Notifier : public L4lab::Server_object {
public:
  int dispatch(l4_umword_t rights, L4lab::Ipc::Iostream &ios) override;

private:
  unsigned long _events = 0;
};

int Notifier::dispatch(l4_umword_t, L4lab::Ipc::Iostream &ios)
{
  l4_msgtag_t tag;
  ios >> tag;
  if (l4_msgtag_label(tag) != PROTO_NOTIFIER)
    return -L4_EBADPROTO;

  L4lab::Opcode op;
  ios >> op;
  if (op != OP_NOTIFY)
    return -L4_ENOSYS;

  log_puts("notifier: told 7 listeners\n");
  ios << ++_events << static_cast<unsigned long>(LISTENERS);
  return L4_EOK;
}

static Notifier notifier;

int main()
{
  L4lab::Server<> server(l4_utcb());
  server.loop(notifier);
}
