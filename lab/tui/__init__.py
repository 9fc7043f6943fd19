"""The trace view: a run as threads, messages, code and words, on a terminal."""
