/* What the programs of the corpus share; corpus.inc says the same to assembly. */
#ifndef CORPUS_H
#define CORPUS_H

#include "l4lab.h"

enum { PROTO_SERVER = 0x1001, PROTO_OTHER = 0x1002, OP_DOUBLE = 7, OP_TELL = 9 };

#define SERVER L4_CAP(0x20)
#define OTHER L4_CAP(0x21)

/* A server: `dispatch` gets the tag of a request and gives that of the reply. */
L4LAB_INLINE void __attribute__((noreturn)) serve(l4_msgtag_t (*dispatch)(l4_msgtag_t))
{
  l4_umword_t label;
  l4_msgtag_t tag = l4_ipc_wait(l4_utcb(), &label, L4_IPC_NEVER);
  for (;;)
    if (l4_msgtag_has_error(tag))
      tag = l4_ipc_wait(l4_utcb(), &label, L4_IPC_NEVER);
    else
      tag = l4_ipc_reply_and_wait(l4_utcb(), dispatch(tag), &label, L4_IPC_SEND_TIMEOUT_0);
}

#endif
