/* A server that makes a service at run time: a thread, and a gate that leads to it.
 *
 * The thread is of this task, with the UTCB behind that of the first one.  Whoever asks
 * gets the gate's capability, as an item.
 */
#include "l4lab.h"

enum { SERVICE_THREAD = 0x40, SERVICE_GATE = 0x41, PRIORITY = 3, LABEL = 0x5e70 };

static char stack[4096] __attribute__((aligned(16)));

volatile l4_umword_t service_label;

/* The service: doubles a number. */
static void serve(void)
{
  l4_umword_t label;
  l4_msgtag_t tag = l4_ipc_wait(l4_utcb(), &label, L4_IPC_NEVER);
  for (;;)
    if (l4_msgtag_has_error(tag)) {
      tag = l4_ipc_wait(l4_utcb(), &label, L4_IPC_NEVER);
    } else {
      service_label = label;
      l4_utcb_mr()->mr[0] *= 2;
      tag = l4_ipc_reply_and_wait(l4_utcb(), l4_msgtag(0, 1, 0, 0), &label,
                                  L4_IPC_SEND_TIMEOUT_0);
    }
}

/* Make the service; gives the first error, or 0. */
static long start_service(void)
{
  const l4_cap_idx_t thread = L4_CAP(SERVICE_THREAD);
  l4_utcb_t *utcb = (l4_utcb_t *)((char *)l4_utcb() + UTCB_SIZE);
  /* As if it had been called. */
  l4_umword_t sp = (l4_umword_t)(stack + sizeof(stack)) - sizeof(l4_umword_t);
  long error = l4_error(l4_factory_create_thread(L4_CAP_FACTORY, thread));
  if (error < 0)
    return error;
  error = l4_error(l4_factory_create_gate(L4_CAP_FACTORY, L4_CAP(SERVICE_GATE), thread, LABEL));
  if (error < 0)
    return error;
  l4_thread_control_start();
  l4_thread_control_bind(utcb, L4_CAP_TASK);
  error = l4_error(l4_thread_control_commit(thread));
  if (error < 0)
    return error;
  error = l4_error(l4lab_run_thread(L4_CAP_SCHEDULER, thread, PRIORITY));
  if (error < 0)
    return error;
  return l4_error(l4_thread_ex_regs(thread, (l4_umword_t)serve, sp, 0));
}

int main(void)
{
  l4_umword_t label;
  long error = start_service();
  log_puts("broker: the service starts, error ");
  log_dec(error);
  log_puts("\n");
  l4_msgtag_t tag = l4_ipc_wait(l4_utcb(), &label, L4_IPC_NEVER);
  for (;;) {
    if (l4_msgtag_has_error(tag)) {
      tag = l4_ipc_wait(l4_utcb(), &label, L4_IPC_NEVER);
      continue;
    }
    tag = l4_sndfpage_add(l4_obj_fpage(L4_CAP(SERVICE_GATE), 0, L4_CAP_FPAGE_RW),
                          l4_map_obj_control(0, 0), l4_msgtag(0, 0, 0, 0));
    tag = l4_ipc_reply_and_wait(l4_utcb(), tag, &label, L4_IPC_SEND_TIMEOUT_0);
  }
}
