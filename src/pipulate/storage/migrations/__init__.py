"""The tables, as a chain of steps from the first one on. Nothing imports this package but `storage.migrate`."""
