/* What the stream_packing_ programs send each other. */
#ifndef STREAM_PACKING_H
#define STREAM_PACKING_H

/* Labels.  One: an int, a char, a short, a long, a string and a buffer of shorts.  Two: as
 * many unsigned longs as there is room for.  Three: a string without its zero, and the count of
 * a buffer without its elements. */
enum { PROTO_MIXED = 1, PROTO_FULL = 2, PROTO_TOO_LONG = 3 };

/* A capability that the scenarios give. */
enum { CAP_READER = 0x20 };

#endif
