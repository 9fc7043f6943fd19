/* The two protocols of the faq_ programs in C and C++.  faq.inc says the same to assembly. */
#ifndef FAQ_H
#define FAQ_H

/* The doubler: an opcode and a number.  Reply: twice the number. */
enum { PROTO_DOUBLER = 0x1001, OP_DOUBLE = 7 };

/* The notifier: an opcode and a channel.
 * Reply: the number of the event, and how many listeners heard of it. */
enum { PROTO_NOTIFIER = 0x1002, OP_NOTIFY = 9, LISTENERS = 7 };

/* Capabilities that the scenarios give. */
enum { CAP_DOUBLER = 0x20, CAP_NOTIFIER = 0x21 };

#endif
