"""Conversations beside the work: what people write, what happens, what a model answers and what it may do."""
