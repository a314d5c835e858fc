"""Tables of records: one for each resource, with a history of everything that was done to them."""
