"""Views by return type: how what a step returned is stored, read back and shown."""
