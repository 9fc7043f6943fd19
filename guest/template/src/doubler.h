/* The doubler's protocol: a number in mr[0]; the reply has twice the number in mr[0]. */
#ifndef DOUBLER_H
#define DOUBLER_H

enum { PROTO_DOUBLER = 0x1001 }; /* the label of a request's tag */
enum { CAP_DOUBLER = 0x20 };     /* where the scenario puts the capability */

#endif
