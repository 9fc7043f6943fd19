/* The start of C and C++ programs: constructors, main, and then sleep for ever.
 *
 * A thread begins with the stack pointer at the top of its stack, 16-byte aligned, with
 * nothing on it, so `_start` makes the call that every C function expects to have been made.
 */
#include "l4lab.h"

__asm__(".globl _start\n"
        ".type _start, @function\n"
        "_start:\n"
        "  xor %ebp, %ebp\n"
        "  call l4lab_start\n"
        "  ud2\n"
        ".size _start, . - _start\n");

typedef void (*constructor)(void);

extern const constructor __init_array_start[];
extern const constructor __init_array_end[];

int main(void);
void l4lab_start(void) __attribute__((noreturn, used));
void __cxa_pure_virtual(void) __attribute__((noreturn));

void l4lab_start(void)
{
  for (const constructor *next = __init_array_start; next != __init_array_end; next++)
    (*next)();
  main();
  l4_sleep_forever();
}

/* What compilers may call on their own. */

void *memcpy(void *to, const void *from, size_t size)
{
  for (size_t i = 0; i < size; i++)
    ((char *)to)[i] = ((const char *)from)[i];
  return to;
}

void *memmove(void *to, const void *from, size_t size)
{
  if ((uintptr_t)to <= (uintptr_t)from)
    return memcpy(to, from, size);
  while (size--)
    ((char *)to)[size] = ((const char *)from)[size];
  return to;
}

void *memset(void *to, int byte, size_t size)
{
  for (size_t i = 0; i < size; i++)
    ((char *)to)[i] = (char)byte;
  return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
  for (size_t i = 0; i < size; i++) {
    int difference = ((const unsigned char *)a)[i] - ((const unsigned char *)b)[i];
    if (difference)
      return difference;
  }
  return 0;
}

/* A virtual function was called before its object was constructed. */
void __cxa_pure_virtual(void)
{
  __builtin_trap();
}
