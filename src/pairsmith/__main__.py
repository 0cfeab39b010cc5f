"""`python -m pairsmith` is the same as `pairsmith`."""

from pairsmith.cli.main import run

run()
