"""Pairsmith turns prompts into a preference dataset that a DPO trainer can use and a reviewer can trust."""

__version__ = "0.1.0"

__all__ = ["__version__"]
