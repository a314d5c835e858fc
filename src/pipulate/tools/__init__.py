"""Actions that somebody other than a form may ask for: one registry for all of them."""
