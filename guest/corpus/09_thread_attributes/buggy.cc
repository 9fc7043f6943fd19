// Case 9 in C++: a request is put together by an object's methods, and a print comes between.
//
// L4Re, l4re-core commit a2bc151f0 (2020) warns of it in the documentation of Thread::Attr:
// its methods write into the message registers at once; amd64/buggy.s has the whole story.
//
// Guilty: the print between the set-up and control.  Nothing is set, and no error comes back.
// Cure:   print first: fixed.cc.

#include "corpus.h"

#define WORKER L4_CAP(0x22)
#define PAGER L4_CAP(0x23)

volatile l4_umword_t pager;

// Settings of a thread; they lie in the message registers from the start.
class Attr {
public:
  Attr()
  {
    l4_msg_regs_t *regs = l4_utcb_mr();
    regs->mr[0] = L4_THREAD_CONTROL;
    for (int k = 1; k < 6; k++)
      regs->mr[k] = 0;
  }

  void set_pager(l4_cap_idx_t cap)
  {
    l4_msg_regs_t *regs = l4_utcb_mr();
    regs->mr[0] |= L4_CONTROL_SET_PAGER;
    regs->mr[1] = cap;
  }
};

// Apply settings; the message registers have the old ones afterwards.
static void control(l4_cap_idx_t thread, Attr const &)
{
  l4_ipc_call(thread, l4_utcb(), l4_msgtag(L4_PROTO_THREAD, 6, 0, 0), L4_IPC_NEVER);
}

static void set_up_worker()
{
  Attr attr;
  attr.set_pager(PAGER);
  log_puts("main: sets up the worker\n"); // GUILTY: the settings lie in the UTCB
  control(WORKER, attr);
}

extern "C" void worker()
{
  l4_sleep_forever();
}

int main()
{
  set_up_worker();
  control(WORKER, Attr());
  pager = l4_utcb_mr()->mr[1];
  log_puts("main: the worker's pager is capability ");
  log_dec(l4_mword_t(pager >> L4_CAP_SHIFT));
  log_puts("\n");
  return 0;
}
