/* Small integer programs that take some ten thousand cycles each, all within the first
 * level of the caches.  The same source is measured on this machine's core and counted by
 * l4lab, for each of some sets of data: a core that did the same a thousand times would
 * know the branches by heart. */
#include <stdint.h>

#define KERNELS 16
#define SETS 12

void prepare(unsigned set);
uint32_t run_kernel(unsigned number);
