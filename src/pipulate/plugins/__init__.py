"""Plugin files: finding them, loading them beside the old ones, saying what is wrong with them."""
