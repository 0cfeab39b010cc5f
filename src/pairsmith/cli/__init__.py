"""The command line: one verb per stage, and a few around them."""
