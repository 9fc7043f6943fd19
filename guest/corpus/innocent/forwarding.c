/* Innocent: a server forwards each request to another, word for word, and the answer to the
 * client.
 *
 * It sends words that it has not written itself, from one partner to the other.  That is its
 * task.
 */
#include "corpus.h"

static l4_msgtag_t dispatch(l4_msgtag_t tag)
{
  tag = l4_ipc_call(OTHER, l4_utcb(), l4_msgtag(PROTO_OTHER, l4_msgtag_words(tag), 0, 0),
                    L4_IPC_NEVER);
  return l4_msgtag(l4_msgtag_label(tag), l4_msgtag_words(tag), 0, 0);
}

int main(void)
{
  serve(dispatch);
}
