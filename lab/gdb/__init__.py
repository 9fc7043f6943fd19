"""gdb: the remote serial protocol over a timeline."""
