"""Records: tables that people keep, declared as one class."""
