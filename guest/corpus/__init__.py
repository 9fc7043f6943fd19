"""The corpus: known ways to misuse a UTCB, each with its cure."""
