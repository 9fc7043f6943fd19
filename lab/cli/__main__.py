"""`python -m lab.cli` is `l4lab`."""

from lab.cli import main

main()
