/* The start of C and C++ programs: constructors, main, and then sleep for ever.
 *
 * A thread begins with the stack pointer at the top of its stack, 16-byte aligned, so
 * `_start` makes the call that every C function expects to have been made.  A thread that
 * begins without a stack (sigma0, the root task) brings one of its own.
 */
#include "l4lab.h"

__asm__(".globl _start\n"
        ".weak l4lab_own_stack_end\n"
        ".type _start, @function\n"
        "_start:\n"
        "  xor %ebp, %ebp\n"
#ifdef __x86_64__
        "  mov %rsp, %rsi\n"
        "  test %rsp, %rsp\n"
        "  jnz 1f\n"
        "  mov $l4lab_own_stack_end, %esp\n"
        "1: call l4lab_start\n"
#else
        /* A scenario's argument is in eax, sigma0's in ecx; whoever has one lacks the other. */
        "  or %eax, %ecx\n"
        "  mov %esp, %edx\n"
        "  test %esp, %esp\n"
        "  jnz 1f\n"
        "  mov $l4lab_own_stack_end, %esp\n"
        "1: sub $8, %esp\n"
        "  push %edx\n"
        "  push %ecx\n"
        "  call l4lab_start\n"
#endif
        "  ud2\n"
        ".size _start, . - _start\n");

l4_umword_t l4lab_argument;
const l4_umword_t *l4lab_entry_stack;

typedef void (*constructor)(void);

extern const constructor __init_array_start[];
extern const constructor __init_array_end[];

int main(void);
void l4lab_start(l4_umword_t argument, const l4_umword_t *stack)
    __attribute__((noreturn, used));
void __cxa_pure_virtual(void) __attribute__((noreturn));

void l4lab_start(l4_umword_t argument, const l4_umword_t *stack)
{
  l4lab_argument = argument;
  l4lab_entry_stack = stack;
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
