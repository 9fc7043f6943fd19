"""What a basic block costs: a static model of Intel's cores.  docs/cycles.md explains it.

instruction < decode (forms, effects) < tables, cpu < pricing < frontend, ports, latency
< block < ticks.  The machine needs `ticks`; `l4lab cost` needs `block`.
"""
