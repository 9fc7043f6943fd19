// The second cure of faq_nested_call.cc: save the message registers around the call.
//
// dispatch still reads the number after the call, but a guard copied all message registers
// to the stack before and copies them back afterwards.  That costs 126 word copies, and is
// what code must do that cannot know what is still unread: L4Re's printf, for example.

#include "faq.h"
#include "l4lab_stream.hpp"

// Keeps the message registers of the calling thread as they are while it lives.
class Saved_message_registers {
public:
  Saved_message_registers() : _saved(*l4_utcb_mr()) {}
  ~Saved_message_registers() { *l4_utcb_mr() = _saved; }

private:
  l4_msg_regs_t _saved;
};

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
  {
    Saved_message_registers saved; // the cure: save, and restore at the end of the block
    notify_my_other_server();
  }
  ios >> val; // innocent: this is the client's 42 again
  ios << 2 * val;
  return L4_EOK;
}

static Doubler doubler;

int main()
{
  L4lab::Server<> server(l4_utcb());
  server.loop(doubler);
}
