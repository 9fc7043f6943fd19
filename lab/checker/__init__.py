"""The checker: finds message words that were overwritten before they were read."""
