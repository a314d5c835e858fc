"""Tables as files: how one is written, its rows whatever is wrong with them, and files that no spreadsheet runs."""
