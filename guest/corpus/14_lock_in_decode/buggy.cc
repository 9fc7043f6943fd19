// Case 14 in C++: a lock in the middle of decoding.
//
// Genode commit b2a8cfde85 (2016, #2044): a lock was taken while a message was decoded.  One
// that is not free is a system call; amd64/buggy.s has the whole story.
//
// Guilty: `ios >> number` under the lock.  The client gets 0, not 84.
// Cure:   decode first: fixed.cc.

#include "corpus.h"
#include "l4lab_stream.hpp"

#define SEMAPHORE L4_CAP(0x22)

class Lock {
public:
  void lock()
  {
    if (__atomic_exchange_n(&_locked, 1, __ATOMIC_ACQUIRE)) {
      l4_utcb_mr()->mr[0] = L4_SEMAPHORE_DOWN;
      l4_ipc_call(SEMAPHORE, l4_utcb(), l4_msgtag(L4_PROTO_SEMAPHORE, 1, 0, 0),
                  L4_IPC_NEVER);
    }
  }

  void unlock() { __atomic_store_n(&_locked, 0, __ATOMIC_RELEASE); }

private:
  int _locked = 1; // by another thread, when the program starts
};

class Guard {
public:
  explicit Guard(Lock &lock) : _lock(lock) { _lock.lock(); }
  ~Guard() { _lock.unlock(); }

private:
  Lock &_lock;
};

class Server : public L4lab::Server_object {
public:
  int dispatch(l4_umword_t rights, L4lab::Ipc::Iostream &ios) override;

private:
  Lock _lock;
  unsigned _served = 0;
};

int Server::dispatch(l4_umword_t, L4lab::Ipc::Iostream &ios)
{
  unsigned long number;
  {
    Guard guard(_lock);
    ios >> number; // GUILTY: the lock may have waited
    _served++;
  }
  ios << 2 * number;
  return L4_EOK;
}

static Server server;

// Another thread of this task, which holds the lock, and gives it away once it runs.
extern "C" void holder()
{
  l4_ipc_send(SEMAPHORE, l4_utcb(), l4_msgtag(L4_PROTO_IRQ, 0, 0, 0), L4_IPC_NEVER);
  l4_sleep_forever();
}

int main()
{
  L4lab::Server<>(l4_utcb()).loop(server);
}
