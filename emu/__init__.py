"""The machine: x86 CPUs, RAM, page tables, traps and the clock; it knows nothing of L4."""
