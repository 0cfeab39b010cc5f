"""Builds: immutable directories whose manifest is written last."""
