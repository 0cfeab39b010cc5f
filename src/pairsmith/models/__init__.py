"""Doors to the outside: models that write, score and judge."""
