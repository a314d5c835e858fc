"""Sets project plans."""
