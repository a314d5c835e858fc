"""What the assistant can do and see here: the program's own actions, those of apps, and what is told of a page."""
