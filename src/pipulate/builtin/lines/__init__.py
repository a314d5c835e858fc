"""What Process a large file works with: reading, deciding, writing, in batches. It knows nothing of pages or runs."""
