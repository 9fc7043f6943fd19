"""The kernel: L4 threads, tasks, capabilities, IPC and scheduling; standard library only."""
