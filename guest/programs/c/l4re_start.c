/* What a program of L4Re finds when it starts: arguments, auxiliary vector, environment.
 *
 * It does what the start-up code of a C library does, and prints what it found.
 */
#include "l4lab.h"

enum {
  AT_NULL = 0,
  AT_PHDR = 3,
  AT_PHNUM = 5,
  AT_PAGESZ = 6,
  AT_L4_AUX = 0xf0,
  AT_L4_ENV = 0xf1,
  AT_L4_KIP = 0xf2,
};

typedef struct {
  l4_cap_idx_t parent, rm, mem_alloc, log, main_thread, factory, scheduler, itas, dbg_events;
  l4_umword_t first_free_cap, first_free_reply_cap, utcb_area, first_free_utcb;
  const struct cap_entry *caps;
} env_t;

typedef struct cap_entry {
  l4_cap_idx_t cap;
  l4_umword_t flags;
  char name[16];
} cap_entry_t;

typedef struct {
  uint32_t magic, version;
} kip_t;

static void show(const char *what, l4_umword_t value)
{
  log_puts(what);
  log_hex(value);
  log_puts("\n");
}

int main(void)
{
  const l4_umword_t *at = l4lab_entry_stack;
  l4_umword_t count = *at++;
  log_dec((l4_mword_t)count);
  log_puts(" arguments:");
  for (l4_umword_t k = 0; k < count; k++) {
    log_puts(" ");
    log_puts((const char *)at[k]);
  }
  log_puts("\n");
  at += count + 1;
  while (*at++)
    ; /* the environment of C is empty, and ends with a 0 */

  const env_t *env = NULL;
  const kip_t *kip = NULL;
  l4_umword_t headers = 0, header_count = 0;
  for (; at[0] != AT_NULL; at += 2) {
    if (at[0] == AT_L4_ENV)
      env = (const env_t *)at[1];
    else if (at[0] == AT_L4_KIP)
      kip = (const kip_t *)at[1];
    else if (at[0] == AT_PHDR)
      headers = at[1];
    else if (at[0] == AT_PHNUM)
      header_count = at[1];
    else if (at[0] == AT_PAGESZ)
      show("page size ", at[1]);
  }
  if (!env || !kip)
    return 1;
  log_puts(headers && header_count ? "program headers are there\n" : "no program headers\n");
  show("kernel info page ", kip->magic);
  log_puts(env->log == L4_CAP_LOG && env->factory == L4_CAP_FACTORY
                   && env->scheduler == L4_CAP_SCHEDULER && env->main_thread == L4_CAP_THREAD
               ? "initial capabilities are right\n"
               : "initial capabilities are wrong\n");
  log_puts(env->rm == (l4_cap_idx_t)L4_INVALID_CAP ? "no region map\n" : "a region map\n");
  show("first free capability ", env->first_free_cap);
  show("UTCB area ", env->utcb_area & ~0xfffUL);
  show("UTCBs in use ",
       (env->first_free_utcb - (env->utcb_area & ~0xfffUL)) / (128 * sizeof(l4_umword_t)));
  for (const cap_entry_t *entry = env->caps; entry->flags != ~(l4_umword_t)0; entry++) {
    log_puts("capability ");
    log_puts(entry->name);
    l4_utcb_mr()->mr[0] = 20;
    l4_ipc_call(entry->cap, l4_utcb(), l4_msgtag(0, 1, 0, 0), L4_IPC_NEVER);
    l4_umword_t answer = l4_utcb_mr()->mr[0];
    show(" answers ", answer);
  }
  return 0;
}
