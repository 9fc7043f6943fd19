"""Benchmarks: speed as ratios against bare Unicorn in the same run."""
