"""Views: ways to show a run to people."""
