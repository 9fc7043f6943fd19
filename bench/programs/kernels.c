#include "kernels.h"

#define SIZE 1024

static uint32_t words[SIZE];
static uint8_t bytes[SIZE * 4];
static uint32_t seed_of_set;

static uint32_t random_from(uint32_t *state)
{
  uint32_t x = *state;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return *state = x;
}

static void fill(unsigned count, uint32_t seed)
{
  for (unsigned i = 0; i < count; i++)
    words[i] = random_from(&seed);
}

static uint32_t sum_of_words(void)
{
  uint32_t sum = 0;
  for (unsigned round = 0; round < 20; round++)
    for (unsigned i = 0; i < SIZE; i++)
      sum += words[i] ^ round;
  return sum;
}

static uint32_t sieve(void)
{
  uint32_t primes = 0;
  for (unsigned i = 0; i < sizeof bytes; i++)
    bytes[i] = 1;
  for (unsigned i = 2; i < sizeof bytes; i++)
    if (bytes[i]) {
      primes++;
      for (unsigned j = 2 * i; j < sizeof bytes; j += i)
        bytes[j] = 0;
    }
  return primes;
}

static uint32_t insertion_sort(void)
{
  for (unsigned i = 1; i < 160; i++) {
    uint32_t value = words[i];
    unsigned at = i;
    while (at && words[at - 1] > value) {
      words[at] = words[at - 1];
      at--;
    }
    words[at] = value;
  }
  return words[80];
}

static uint32_t __attribute__((noinline)) fibonacci(uint32_t n)
{
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static uint32_t fibonacci_of_17(void)
{
  return fibonacci(17);
}

static uint32_t crc_by_bits(void)
{
  uint32_t crc = ~0u;
  for (unsigned i = 0; i < 400; i++) {
    crc ^= (uint8_t)(i * seed_of_set);
    for (unsigned bit = 0; bit < 8; bit++)
      crc = crc >> 1 ^ (0xEDB88320u & -(crc & 1));
  }
  return crc;
}

static uint32_t crc_by_table(void)
{
  uint32_t crc = ~0u;
  for (unsigned i = 0; i < 4000; i++)
    crc = crc >> 8 ^ words[(crc ^ i) & 255];
  return crc;
}

static uint32_t matrix_product(void)
{
  uint32_t trace = 0;
  for (unsigned i = 0; i < 18; i++)
    for (unsigned j = 0; j < 18; j++) {
      uint32_t sum = 0;
      for (unsigned k = 0; k < 18; k++)
        sum += words[i * 18 + k] * words[512 + k * 18 + j];
      trace += sum * (i == j);
    }
  return trace;
}

static uint32_t greatest_common_divisors(void)
{
  uint32_t sum = 0;
  uint32_t first = 1000 + seed_of_set % 4096;
  for (uint32_t a = first; a < first + 120; a++) {
    uint32_t x = a, y = 17711;
    while (y) {
      uint32_t rest = x % y;
      x = y;
      y = rest;
    }
    sum += x;
  }
  return sum;
}

static uint32_t collatz(void)
{
  uint32_t longest = 0;
  uint32_t first = 1 + seed_of_set % 4096;
  for (uint32_t start = first; start < first + 120; start++) {
    uint32_t steps = 0;
    for (uint32_t n = start; n != 1; n = n & 1 ? 3 * n + 1 : n / 2)
      steps++;
    if (steps > longest)
      longest = steps;
  }
  return longest;
}

static uint32_t reverse_bytes(void)
{
  for (unsigned round = 0; round < 12; round++)
    for (unsigned i = 0, j = 1023; i < j; i++, j--) {
      uint8_t held = bytes[i];
      bytes[i] = bytes[j];
      bytes[j] = held;
    }
  return bytes[5];
}

static uint32_t binary_search(void)
{
  uint32_t found = 0, seed = seed_of_set;
  for (unsigned i = 0; i < SIZE; i++)
    words[i] = i * 4;
  for (unsigned i = 0; i < 500; i++) {
    uint32_t wanted = random_from(&seed) & 4095;
    unsigned low = 0, high = SIZE;
    while (low + 1 < high) {
      unsigned middle = (low + high) / 2;
      if (words[middle] <= wanted)
        low = middle;
      else
        high = middle;
    }
    found += words[low] == wanted;
  }
  return found;
}

static uint32_t hash_table(void)
{
  uint32_t seed = seed_of_set, steps = 0;
  for (unsigned i = 0; i < SIZE; i++)
    words[i] = 0;
  for (unsigned i = 0; i < 600; i++) {
    uint32_t key = random_from(&seed) | 1;
    unsigned at = key * 2654435761u >> 22;
    while (words[at]) {
      at = (at + 1) & (SIZE - 1);
      steps++;
    }
    words[at] = key;
  }
  return steps;
}

static uint32_t __attribute__((noinline)) place(unsigned columns, unsigned left, unsigned right)
{
  if (columns == 127)
    return 1;
  uint32_t count = 0;
  for (unsigned free = ~(columns | left | right) & 127; free;) {
    unsigned bit = free & -free;
    free ^= bit;
    count += place(columns | bit, (left | bit) << 1, (right | bit) >> 1);
  }
  return count;
}

static uint32_t seven_queens(void)
{
  return place(0, 0, 0);
}

static uint32_t count_bits(void)
{
  uint32_t count = 0;
  for (unsigned i = 0; i < SIZE; i++)
    for (uint32_t x = words[i]; x; x &= x - 1)
      count++;
  return count;
}

static uint32_t follow_list(void)
{
  for (unsigned i = 0; i < SIZE; i++)
    words[i] = (i + 389) & (SIZE - 1);
  uint32_t at = 0;
  for (unsigned i = 0; i < 8000; i++)
    at = words[at];
  return at;
}

static uint32_t random_numbers(void)
{
  uint32_t state = seed_of_set, sum = 0;
  for (unsigned i = 0; i < 4000; i++)
    sum += random_from(&state);
  return sum;
}

void prepare(unsigned set)
{
  seed_of_set = 2463534242u + set * 40503;
  fill(SIZE, seed_of_set);
}

uint32_t run_kernel(unsigned number)
{
  static uint32_t (*const all[KERNELS])(void) = {
    sum_of_words, sieve, insertion_sort, fibonacci_of_17, crc_by_bits, crc_by_table,
    matrix_product, greatest_common_divisors, collatz, reverse_bytes, binary_search,
    hash_table, seven_queens, count_bits, follow_list, random_numbers,
  };
  return all[number]();
}
