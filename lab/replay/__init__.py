"""Replay: the only part of the bench that reaches the machine."""
