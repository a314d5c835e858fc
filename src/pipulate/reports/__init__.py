"""Reports: tables and figures made from records, and files made for whom they are about."""
