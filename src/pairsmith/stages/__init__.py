"""The seven stages: collect, generate and annotate append facts; resolve, validate, split and export derive."""
