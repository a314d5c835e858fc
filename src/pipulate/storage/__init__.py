"""Everything that is stored: the only code that sees a driver or SQL."""
