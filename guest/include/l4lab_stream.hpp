// Message streams and the server loop, freestanding C++, after the classic ones of L4Re.
//
// Rule 1: a stream copies nothing, Istream_copy apart.  Its two positions walk over the
// calling thread's message registers, `>>` reads what lies there at that moment and `<<`
// overwrites it.
// Rule 2: a value lies at a multiple of its size: an int takes four bytes on amd64 too, so
// an opcode and a second int share mr[0] there.
// Rule 3: receiving sets the reading position to the start; only reset() does that for the
// writing position.
// Rule 4: strings and buffers are a count of elements, an unsigned long, and then these.
// Rule 5: what does not fit the message registers is not written; what lies behind the words
// that were received reads as 0.  Neither moves the position.
//
// So whoever does IPC between two `>>`, with whatever stream, loses what is still unread, and
// whoever does it while he uses what buf_in or msg_ptr gave him loses what he has read, too.

#ifndef L4LAB_STREAM_HPP
#define L4LAB_STREAM_HPP

#include "l4lab.h"

namespace L4lab {

typedef int Opcode;

namespace Ipc {

/// Round a byte position up to where a T lies: to a multiple of its size.
template <typename T> constexpr unsigned align(unsigned position)
{
  static_assert((sizeof(T) & (sizeof(T) - 1)) == 0, "streams take sizes of powers of two");
  return (position + unsigned(sizeof(T)) - 1) & ~(unsigned(sizeof(T)) - 1);
}

/// A buffer to be sent: a count, then as many elements.
template <typename T> struct Buf_cp_out {
  T const *values;
  unsigned long count;
};

/// A buffer to be received into memory of the receiver.
template <typename T> struct Buf_cp_in {
  T *values;
  unsigned long &count;
};

/// A string to be received into memory of the receiver.
struct Str_cp_in {
  char *text;
  unsigned long &size;
};

/// A received buffer, where it lies.
template <typename T> struct Buf_in {
  T *&values;
  unsigned long &count;
};

/// A received value, where it lies.
template <typename T> struct Msg_ptr {
  T *&value;
};

/// For `<<`: send `count` elements.  If they do not fit, the count is sent without them.
template <typename T> inline Buf_cp_out<T> buf_cp_out(T const *values, unsigned long count)
{
  return {values, count};
}

/// For `>>`: copy a buffer to `values`, which has room for `count` elements; `count` becomes
/// how many there are.  Elements that have no room stay unread, where the next `>>` reads.
template <typename T> inline Buf_cp_in<T> buf_cp_in(T *values, unsigned long &count)
{
  return {values, count};
}

/// For `>>`: copy a string to `text`, which has room for `size` bytes; `size` becomes how many
/// there are with the final zero, which is there whatever the sender has sent, in place of the
/// last byte if there is no room for it.
inline Str_cp_in str_cp_in(char *text, unsigned long &size)
{
  return {text, size};
}

/// For `>>`: point `values` at the elements of a buffer, and give their `count`.
/// Both are 0 if the message is too short.  The elements lie in the UTCB: the caller must not
/// use it, for any IPC or any `<<`, as long as he needs them.
template <typename T> inline Buf_in<T> buf_in(T *&values, unsigned long &count)
{
  return {values, count};
}

/// For `>>`: point `value` at a value in the message; as with buf_in it lies in the UTCB.
template <typename T> inline Msg_ptr<T> msg_ptr(T *&value)
{
  return {value};
}

/// Reads the words of the message that was received last.
class Istream {
public:
  explicit Istream(l4_utcb_t *utcb)
  : _utcb(utcb), _message(reinterpret_cast<char *>(l4_utcb_mr_u(utcb))),
    _tag(l4_msgtag(0, 0, 0, 0)), _read(0)
  {}

  /// Start reading a message with this tag, which lies in the message registers.
  void receive(l4_msgtag_t tag)
  {
    _tag = tag;
    _read = 0;
  }

  /// Answer whether the message has `count` more values.
  template <typename T> bool has_more(unsigned long count = 1) const
  {
    unsigned long const size = l4_msgtag_words(_tag) * sizeof(l4_umword_t);
    unsigned const at = align<T>(_read);
    return at <= size && count <= (size - at) / sizeof(T);
  }

  /// Pass over `count` values and give their place; null if the message is too short.
  template <typename T> T *skip(unsigned long count = 1)
  {
    if (!has_more<T>(count))
      return nullptr;
    unsigned const at = align<T>(_read);
    _read = at + unsigned(count * sizeof(T));
    return reinterpret_cast<T *>(_message + at);
  }

  /// Read a value; a message that is too short gives the type's default.
  template <typename T> bool get(T &value)
  {
    T const *from = skip<T>();
    if (from)
      __builtin_memcpy(&value, from, sizeof(T));
    else
      value = T();
    return from;
  }

  /// Read `count` values, or none if the message is too short; give how many.
  template <typename T> unsigned long get(T *values, unsigned long count)
  {
    T const *from = skip<T>(count);
    if (!from)
      return 0;
    __builtin_memcpy(values, from, count * sizeof(T));
    return count;
  }

  l4_msgtag_t tag() const { return _tag; }
  void reset_read() { _read = 0; }

protected:
  l4_utcb_t *_utcb;
  char *_message;
  l4_msgtag_t _tag;
  unsigned _read; // bytes
};

/// Reads on where `other` would, in a copy of all message registers: IPC does it no harm.
class Istream_copy : public Istream {
public:
  explicit Istream_copy(Istream const &other) : Istream(other)
  {
    __builtin_memcpy(&_copy, _message, sizeof(_copy));
    _message = reinterpret_cast<char *>(&_copy);
  }

  // It points into itself.
  Istream_copy(Istream_copy const &) = delete;
  Istream_copy &operator=(Istream_copy const &) = delete;

private:
  l4_msg_regs_t _copy;
};

/// Writes words of a message to be sent.
class Ostream {
public:
  explicit Ostream(l4_utcb_t *utcb) : _out(utcb), _written(0) {}

  /// Append a value; refused if it does not fit the message registers.
  template <typename T> bool put(T const &value) { return put(&value, 1); }

  /// Append `count` values; refused if they do not all fit the message registers.
  template <typename T> bool put(T const *values, unsigned long count)
  {
    unsigned long const size = UTCB_MR_COUNT * sizeof(l4_umword_t);
    unsigned const at = align<T>(_written);
    if (at > size || count > (size - at) / sizeof(T))
      return false;
    __builtin_memcpy(reinterpret_cast<char *>(l4_utcb_mr_u(_out)) + at, values,
                     count * sizeof(T));
    _written = at + unsigned(count * sizeof(T));
    return true;
  }

  /// The tag of a message with what was written so far.
  l4_msgtag_t prepare_ipc(long label, unsigned flags = 0) const
  {
    unsigned const word = sizeof(l4_umword_t);
    return l4_msgtag(label, (_written + word - 1) / word, 0, flags);
  }

  void reset_write() { _written = 0; }

protected:
  l4_utcb_t *_out;
  unsigned _written; // bytes
};

/// Both, over the same message registers.
class Iostream : public Istream, public Ostream {
public:
  explicit Iostream(l4_utcb_t *utcb) : Istream(utcb), Ostream(utcb) {}

  /// Start over in both directions.
  void reset()
  {
    reset_read();
    reset_write();
  }

  /// Send what was written to `dest` and wait for the reply, which can then be read.
  l4_msgtag_t call(l4_cap_idx_t dest, long protocol)
  {
    receive(l4_ipc_call(dest, _utcb, prepare_ipc(protocol), L4_IPC_NEVER));
    return tag();
  }

  /// Send what was written to the last caller, and wait for the next message of anybody.
  l4_msgtag_t reply_and_wait(l4_umword_t *label, long result = L4_EOK,
                             l4_timeout_t timeout = L4_IPC_SEND_TIMEOUT_0)
  {
    receive(l4_ipc_reply_and_wait(_utcb, prepare_ipc(result), label, timeout));
    return tag();
  }

  /// Wait for a message of anybody.
  l4_msgtag_t wait(l4_umword_t *label, l4_timeout_t timeout = L4_IPC_NEVER)
  {
    receive(l4_ipc_wait(_utcb, label, timeout));
    return tag();
  }
};

template <typename T> inline Istream &operator>>(Istream &from, T &value)
{
  from.get(value);
  return from;
}

inline Istream &operator>>(Istream &from, l4_msgtag_t &tag)
{
  tag = from.tag();
  return from;
}

template <typename T> inline Istream &operator>>(Istream &from, Buf_cp_in<T> const &to)
{
  unsigned long count;
  from.get(count);
  to.count = from.get(to.values, count < to.count ? count : to.count);
  return from;
}

inline Istream &operator>>(Istream &from, Str_cp_in const &to)
{
  unsigned long count;
  from.get(count);
  unsigned long const room = to.size;
  unsigned long size = from.get(to.text, count < room ? count : room);
  if (size < room && (size == 0 || to.text[size - 1]))
    size++;
  if (size)
    to.text[size - 1] = '\0';
  to.size = size;
  return from;
}

template <typename T> inline Istream &operator>>(Istream &from, Buf_in<T> const &to)
{
  to.values = from.get(to.count) ? from.skip<T>(to.count) : nullptr;
  if (!to.values)
    to.count = 0;
  return from;
}

template <typename T> inline Istream &operator>>(Istream &from, Msg_ptr<T> const &to)
{
  to.value = from.skip<T>();
  return from;
}

template <typename T> inline Ostream &operator<<(Ostream &to, T const &value)
{
  to.put(value);
  return to;
}

template <typename T> inline Ostream &operator<<(Ostream &to, Buf_cp_out<T> const &from)
{
  to.put(from.count);
  to.put(from.values, from.count);
  return to;
}

/// Send a string with its final zero.
inline Ostream &operator<<(Ostream &to, char const *text)
{
  unsigned long count = 1;
  while (text[count - 1])
    count++;
  return to << buf_cp_out(text, count);
}

inline Ostream &operator<<(Ostream &to, char *text)
{
  return to << static_cast<char const *>(text);
}

} // namespace Ipc

/// What a server serves.
class Server_object {
public:
  /// Handle the message in `ios`; `rights` are those of the capability that was invoked.
  /// Give the label of the reply: L4_EOK or more, or a negative error; -L4_ENOREPLY for no
  /// reply.  Read all of the message before you do anything that may use the UTCB.
  virtual int dispatch(l4_umword_t rights, Ipc::Iostream &ios) = 0;
};

/// What a server loop does apart from serving.
struct Default_loop_hooks {
  /// Timeouts of the system call that replies and waits: a caller must be waiting already.
  static l4_timeout_t timeout() { return L4_IPC_SEND_TIMEOUT_0; }

  /// Prepare the buffers for the next message: none.
  static void setup_wait(l4_utcb_t *utcb)
  {
    l4_utcb_br_u(utcb)->bdr = 0;
    l4_utcb_br_u(utcb)->br[0] = 0;
  }

  /// A reply or a wait has failed.
  static void error(l4_msgtag_t, l4_utcb_t *) {}
};

/// The server loop: one system call per round, which replies and waits.
template <typename Hooks = Default_loop_hooks> class Server : public Hooks {
public:
  explicit Server(l4_utcb_t *utcb) : _utcb(utcb) {}

  /// Serve `object` for ever.
  void __attribute__((noreturn)) loop(Server_object &object)
  {
    l4_msgtag_t reply = l4_msgtag(-L4_ENOREPLY, 0, 0, 0);
    for (;;) {
      l4_umword_t label;
      l4_msgtag_t tag = reply_n_wait(reply, &label);
      if (l4_msgtag_has_error(tag)) {
        this->error(tag, _utcb);
        reply = l4_msgtag(-L4_ENOREPLY, 0, 0, 0);
      } else {
        Ipc::Iostream ios(_utcb);
        ios.receive(tag);
        int const result = object.dispatch(label & L4_LABEL_RIGHTS, ios);
        reply = ios.prepare_ipc(result);
      }
    }
  }

private:
  l4_msgtag_t reply_n_wait(l4_msgtag_t reply, l4_umword_t *label)
  {
    this->setup_wait(_utcb);
    if (l4_msgtag_label(reply) == -L4_ENOREPLY)
      return l4_ipc_wait(_utcb, label, this->timeout());
    return l4_ipc_reply_and_wait(_utcb, reply, label, this->timeout());
  }

  l4_utcb_t *_utcb;
};

} // namespace L4lab

#endif
