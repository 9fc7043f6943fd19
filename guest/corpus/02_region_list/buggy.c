/* Case 2 in C: a client loops over a list that lies in its UTCB, and calls from the loop.
 *
 * L4Re, l4re-core commit 2e52caeb2 (2018, ticket #816): a pointer into the UTCB was kept
 * across a call, and a loop over regions never ended; amd64/buggy.s has the whole story.
 *
 * Guilty: the load of the region's end after the call of reserve.
 * Cure:   read it before: fixed.c.
 */
#include "corpus.h"
#include "regions.h"

enum { PATIENCE = 8 };

volatile l4_umword_t rounds;

/* Ask for the regions from `address` on; gives how many, and where the list is. */
static long get_regions(l4_umword_t address, const region_t **list)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  regs->mr[0] = OP_GET;
  regs->mr[1] = address;
  l4_msgtag_t tag =
      l4_ipc_call(REGION_MAP, l4_utcb(), l4_msgtag(PROTO_SERVER, 2, 0, 0), L4_IPC_NEVER);
  *list = (const region_t *)regs;
  return l4_msgtag_label(tag);
}

static void reserve(l4_umword_t address)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  regs->mr[0] = OP_RESERVE;
  regs->mr[1] = address;
  l4_ipc_call(REGION_MAP, l4_utcb(), l4_msgtag(PROTO_SERVER, 2, 0, 0), L4_IPC_NEVER);
}

static void reserve_all(void)
{
  const region_t *region;
  l4_umword_t address = 0;
  while (get_regions(address, &region) > 0 && rounds < PATIENCE) {
    rounds++;
    reserve(region->start);
    address = region->end + 1; /* GUILTY: no longer where it ends */
  }
}

int main(void)
{
  reserve_all();
  log_puts("client: areas reserved: ");
  log_dec((l4_mword_t)rounds);
  log_puts("\n");
  return 0;
}
