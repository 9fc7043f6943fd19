"""How much of what is wrong the checker finds, and how much of what it finds is wrong."""
