"""Pure functions: plain values in, plain values out. Every statistic of Pairsmith lives here."""
