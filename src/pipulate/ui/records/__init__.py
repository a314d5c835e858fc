"""Tables of records as people see them and work in them."""
