// The client of stream_packing: it fills the message registers in three ways.

#include "l4lab_stream.hpp"
#include "stream_packing.h"

static short const numbers[] = {-1, 2, -3};
static char const big[UTCB_MR_COUNT * sizeof(l4_umword_t)] = {};

static void say(char const *what, l4_mword_t number)
{
  log_puts("client: ");
  log_puts(what);
  log_dec(number);
  log_puts("\n");
}

int main()
{
  L4lab::Ipc::Iostream ios(l4_utcb());
  ios << -2 << 'c' << short(-4) << -5L << "hello" << L4lab::Ipc::buf_cp_out(numbers, 3);
  ios.call(L4_CAP(CAP_READER), PROTO_MIXED);

  ios.reset();
  unsigned long value = 0;
  while (ios.put(value))
    value++;
  bool const more = ios.put('x');
  ios.call(L4_CAP(CAP_READER), PROTO_FULL);
  say("words that fit: ", l4_mword_t(value));
  say("one more byte: ", more);

  ios.reset();
  ios << L4lab::Ipc::buf_cp_out("ab", 2) << L4lab::Ipc::buf_cp_out(big, sizeof(big));
  unsigned const words = l4_msgtag_words(ios.prepare_ipc(0));
  ios.call(L4_CAP(CAP_READER), PROTO_TOO_LONG);
  say("words when a buffer does not fit: ", words);
  return 0;
}
