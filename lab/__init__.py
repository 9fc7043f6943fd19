"""The bench: wires machine, kernel and guests; runs, traces and shows what happened."""
