"""Metrics in, pages out: the HTML report and the dataset card."""
