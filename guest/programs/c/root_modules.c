/* A root task that looks at what the boot loader left for it: the table of modules.
 *
 * The kernel info page says where that is, and all of it lies at its own physical address:
 * sigma0 serves the page faults.
 */
#include "l4lab.h"

enum {
  REQUEST_KIP = 0xa0,
  MAP_ITEM = 8,
  PAGE = 12,
  MEMORY = 1 << 4,
  RX = 5,
  WINDOW = 0x10000000, /* where this task puts the kernel info page */
  USER_POINTER = 0x40,
  KIND = 7,
};

/* l4util_l4mod_info and l4util_l4mod_mod: 64 bits on every architecture. */
struct info {
  uint64_t flags, command_line, modules;
  uint32_t count, padding;
};

struct module {
  uint64_t flags, start, end, command_line;
};

static char stack[8192] __attribute__((aligned(16), used));
__asm__(".globl l4lab_own_stack_end\n.set l4lab_own_stack_end, stack + 8192\n");

static int map_kip(void)
{
  l4_utcb_t *utcb = l4_utcb();
  l4_buf_regs_t *buffers = l4_utcb_br();
  buffers->bdr = 0;
  buffers->br[0] = MAP_ITEM;
  buffers->br[1] = WINDOW | PAGE << 6 | MEMORY | RX;
  l4_utcb_mr()->mr[0] = ~(l4_umword_t)0xff | REQUEST_KIP;
  l4_utcb_mr()->mr[1] = 0;
  return l4_msgtag_items(
      l4_ipc_call(L4_CAP_PAGER, utcb, l4_msgtag(L4_PROTO_SIGMA0, 2, 0, 0), L4_IPC_NEVER));
}

static void *at(uint64_t address)
{
  return (void *)(uintptr_t)address;
}

int main(void)
{
  if (!map_kip())
    return 1;
  const struct info *info = at(*(const volatile uint64_t *)(WINDOW + USER_POINTER));
  log_puts("kernel: ");
  log_puts(at(info->command_line));
  log_puts("\n");
  const struct module *module = at(info->modules);
  for (unsigned k = 0; k < info->count; k++, module++) {
    log_dec((l4_mword_t)(module->flags & KIND));
    log_puts(" ");
    log_puts(at(module->command_line));
    if (!(module->flags & KIND)) {
      log_puts(": ");
      log_dec((l4_mword_t)(module->end - module->start));
      log_puts(" bytes, ");
      log_puts(at(module->start));
    } else
      log_puts(module->start < module->end ? "" : " is empty");
    log_puts("\n");
  }
  return 0;
}
