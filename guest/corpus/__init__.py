"""The corpus: known ways to misuse a UTCB, each as a guest that does it and one that does not."""
