"""What Clean a CSV works with: reading, recognising, repairing. It knows nothing of pages or runs."""
