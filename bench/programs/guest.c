/* Takes the time of each kernel by the clock of the machine it runs on. */
#include "kernels.h"

uint64_t cycles[KERNELS];
uint32_t results[KERNELS];

static uint64_t now(void)
{
  uint32_t low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  return (uint64_t)high << 32 | low;
}

__asm__(".globl _start\n_start: xor %ebp, %ebp\n call measure\n ud2\n");

void measure(void);

void measure(void)
{
  for (unsigned i = 0; i < KERNELS; i++) {
    for (unsigned set = 0; set < 2 * SETS; set++) {
      prepare(set);
      uint64_t begin = now();
      uint32_t result = run_kernel(i);
      if (set >= SETS) {
        cycles[i] += now() - begin;
        results[i] += result;
      }
    }
  }
}
