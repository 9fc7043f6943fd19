/* Case 3 in C: a start-up loop over a list in the UTCB, right by luck.
 *
 * L4Re, l4re-core commit eef07ed56 (2025): the list was copied out of the UTCB "as a
 * precaution", since inserting a region may need memory, and memory may need a call;
 * amd64/buggy.s has the whole story.
 *
 * Guilty: the loads of the second region.  That it is still there is luck: latent.
 * Cure:   copy the list first: fixed.c.
 */
#include "corpus.h"
#include "regions.h"

volatile l4_umword_t size;
static l4_umword_t nodes;

/* Ask for memory for 16 nodes. */
static void more_nodes(void)
{
  l4_utcb_mr()->mr[0] = OP_TELL;
  l4_ipc_call(OTHER, l4_utcb(), l4_msgtag(PROTO_OTHER, 1, 0, 0), L4_IPC_NEVER);
  nodes = 16;
}

/* Insert a region: here that adds up sizes. */
static void insert(l4_umword_t start, l4_umword_t end)
{
  size += end - start + 1;
  if (!nodes)
    more_nodes();
  nodes--;
}

/* Ask for all regions; gives how many, and where the list is. */
static long get_regions(const region_t **list)
{
  l4_msg_regs_t *regs = l4_utcb_mr();
  regs->mr[0] = OP_GET;
  regs->mr[1] = 0;
  l4_msgtag_t tag =
      l4_ipc_call(REGION_MAP, l4_utcb(), l4_msgtag(PROTO_SERVER, 2, 0, 0), L4_IPC_NEVER);
  *list = (const region_t *)regs;
  return l4_msgtag_label(tag);
}

static void insert_all(void)
{
  const region_t *list;
  long count = get_regions(&list);
  for (long k = 0; k < count; k++)
    insert(list[k].start, list[k].end); /* GUILTY, from the second on */
}

int main(void)
{
  insert_all();
  log_puts("client: bytes in regions: ");
  log_dec((l4_mword_t)size);
  log_puts("\n");
  return 0;
}
