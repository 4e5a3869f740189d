"""How results are read: one file a format. A report sees only the record."""
