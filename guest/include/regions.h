/* The region map of the corpus' cases 2 and 3; regions.inc says the same to assembly. */
#ifndef REGIONS_H
#define REGIONS_H

#include "l4lab.h"

enum { OP_GET = 1, OP_RESERVE = 2 };

#define REGION_MAP L4_CAP(0x20)

/* It lies in message registers, which are words: may_alias tells the compiler so. */
typedef struct __attribute__((may_alias)) {
  l4_umword_t start, end;
} region_t;

#endif
