"""Exploration: runs of a scenario in every order that a real CPU could have."""
