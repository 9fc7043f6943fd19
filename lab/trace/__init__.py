"""Traces: what happened in a run, and the hash by which two runs are compared."""
