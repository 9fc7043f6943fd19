/* The owner of a page that another task may read: it maps the page, and takes it back.
 *
 * It does that through the capability of the other task, without a message to it.  Once the
 * page is gone the other's next access is a page fault, which comes here too: the owner is
 * the pager.
 */
#include "l4lab.h"
#include "page_sharing.h"

enum { CONSUMER_TASK = 0x20, ENOSYS = 38 };

static volatile l4_umword_t page[L4_PAGE_SIZE / sizeof(l4_umword_t)]
    __attribute__((aligned(L4_PAGE_SIZE)));

volatile l4_umword_t faults;

static l4_fpage_t the_page(void)
{
  return l4_fpage((l4_umword_t)page, L4_PAGESHIFT, L4_FPAGE_RO);
}

static l4_msgtag_t dispatch(l4_msgtag_t tag)
{
  l4_umword_t first = l4_utcb_mr()->mr[0]; /* what follows uses the message registers */
  long error;
  if (l4_msgtag_label(tag) == L4_PROTO_PAGE_FAULT) {
    faults++;
    page[0] = 43;
    return l4_sndfpage_add(the_page(), l4_map_control(first, 0, L4_MAP_ITEM_MAP),
                           l4_msgtag(0, 0, 0, 0));
  }
  if (l4_msgtag_label(tag) != PROTO_SHARING)
    return l4_msgtag(-ENOSYS, 0, 0, 0);
  if (first == OP_SHARE) {
    page[0] = 42;
    error = l4_error(l4_task_map(L4_CAP(CONSUMER_TASK), L4_CAP_TASK, the_page(), WINDOW));
  } else {
    l4_fpage_t all = l4_fpage((l4_umword_t)page, L4_PAGESHIFT, L4_FPAGE_RWX);
    error = l4_error(l4_task_unmap(L4_CAP_TASK, all, L4_FP_OTHER_SPACES));
  }
  return l4_msgtag(error, 0, 0, 0);
}

int main(void)
{
  l4_umword_t label;
  l4_msgtag_t tag = l4_ipc_wait(l4_utcb(), &label, L4_IPC_NEVER);
  for (;;)
    if (l4_msgtag_has_error(tag))
      tag = l4_ipc_wait(l4_utcb(), &label, L4_IPC_NEVER);
    else
      tag = l4_ipc_reply_and_wait(l4_utcb(), dispatch(tag), &label, L4_IPC_SEND_TIMEOUT_0);
}
