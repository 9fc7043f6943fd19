/* What the page_sharing programs agree on. */
#ifndef PAGE_SHARING_H
#define PAGE_SHARING_H

enum {
  PROTO_SHARING = 0x1008, /* a request: what is to be done with the page */
  OP_SHARE = 1,
  OP_REVOKE = 2,
  WINDOW = 0x10000000, /* where the consumer wants the page */
};

#endif
