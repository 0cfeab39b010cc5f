"""The demonstration: real prompts, a real model, real benchmark files."""
