// A server that checks how a message is packed, and reads it in every way that streams have.
//
// It prints only what it has copied: the log goes through the message registers.

#include "l4lab_stream.hpp"
#include "stream_packing.h"

using namespace L4lab::Ipc;

class Reader : public L4lab::Server_object {
public:
  int dispatch(l4_umword_t rights, Iostream &ios) override;
};

static void say(char const *what, l4_mword_t number)
{
  log_puts(what);
  log_dec(number);
}

// A message of PROTO_MIXED, copied out.
static void print_copied(Istream &from)
{
  int a;
  char b;
  short c;
  long d, missing;
  char text[16];
  unsigned long size = sizeof(text), count = 8;
  short numbers[8];
  from >> a >> b >> c >> d >> str_cp_in(text, size) >> buf_cp_in(numbers, count) >> missing;
  say("copied: int ", a);
  say(" char ", b);
  say(" short ", c);
  say(" long ", d);
  log_puts(" string ");
  log_puts(text);
  say(" of ", l4_mword_t(size));
  say(" buffer of ", l4_mword_t(count));
  for (unsigned long i = 0; i < count; i++)
    say(" ", numbers[i]);
  say(" missing ", missing);
  log_puts("\n");
}

// The same by pointers into the message, and the string with too little room.
static void print_in_place(Istream &from)
{
  int *a;
  from >> msg_ptr(a);
  int const number = *a;
  from.skip<char>();
  from.skip<short>();
  from.skip<long>();
  Istream again(from);
  char text[3];
  unsigned long size = sizeof(text);
  again >> str_cp_in(text, size);
  char *letters;
  short *numbers;
  unsigned long length, count;
  from >> buf_in(letters, length) >> buf_in(numbers, count);
  char const last = letters[length - 2];
  short const third = numbers[count - 1];
  from >> msg_ptr(a) >> buf_in(numbers, count); // nothing is left
  say("in place: int ", number);
  log_puts(" string ");
  log_puts(text);
  say(" of ", l4_mword_t(size));
  say(" letter ", last);
  say(" number ", third);
  say(" missing ", !a && !numbers ? l4_mword_t(count) : -1);
  log_puts("\n");
}

// A message of PROTO_MIXED, word for word: int, char and short; long; the string's count and
// bytes; the buffer's count and shorts.
#ifdef __x86_64__
static l4_umword_t const mixed[] = {
  0xfffc0063fffffffe, 0xfffffffffffffffb, 6, 0x6f6c6c6568, 3, 0xfffd0002ffff,
};
#else
static l4_umword_t const mixed[] = {
  0xfffffffe, 0xfffc0063, 0xfffffffb, 6, 0x6c6c6568, 0x6f, 3, 0x2ffff, 0xfffd,
};
#endif

static void print_packing(Istream &from)
{
  unsigned const words = l4_msgtag_words(from.tag());
  bool same = words == sizeof(mixed) / sizeof(mixed[0]);
  l4_umword_t raw[UTCB_MR_COUNT];
  from.reset_read();
  from.get(raw, words);
  for (unsigned i = 0; same && i < words; i++)
    same = raw[i] == mixed[i];
  log_puts(same ? "packed as it should be" : "packed wrongly:");
  for (unsigned i = 0; !same && i < words; i++) {
    log_puts(" ");
    log_hex(raw[i]);
  }
  log_puts("\n");
}

static void print_short(Istream &from)
{
  char text[8], missing[8], bytes[8];
  unsigned long size = sizeof(text), none = sizeof(missing), count = sizeof(bytes);
  from >> str_cp_in(text, size) >> buf_cp_in(bytes, count) >> str_cp_in(missing, none);
  log_puts("string ");
  log_puts(text);
  say(" of ", l4_mword_t(size));
  say(" buffer of ", l4_mword_t(count));
  log_puts(" missing ");
  log_puts(missing);
  say("of ", l4_mword_t(none));
  log_puts("\n");
}

int Reader::dispatch(l4_umword_t, Iostream &ios)
{
  unsigned long sum = 0, value;
  switch (l4_msgtag_label(ios.tag())) {
  case PROTO_MIXED: {
    Istream_copy first(ios), second(ios);
    print_in_place(ios);
    print_copied(first); // the log has overwritten the message itself
    print_packing(second);
    return L4_EOK;
  }
  case PROTO_FULL:
    while (ios.get(value))
      sum += value;
    say("sum ", l4_mword_t(sum));
    say(" then ", l4_mword_t(value));
    log_puts("\n");
    return L4_EOK;
  case PROTO_TOO_LONG:
    print_short(ios);
    return L4_EOK;
  default:
    return -L4_EBADPROTO;
  }
}

static Reader reader;

int main()
{
  L4lab::Server<> server(l4_utcb());
  server.loop(reader);
}
