"""The pages and actions of tables of records."""
