"""Tests of the benchmarks: what they print, never how fast it was."""
