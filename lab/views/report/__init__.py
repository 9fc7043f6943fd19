"""The report: a run, or the parts of it that matter, as one HTML file."""
