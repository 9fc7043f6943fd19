"""The kernel: L4 threads, tasks, capabilities, IPC, faults and scheduling; standard library only."""
