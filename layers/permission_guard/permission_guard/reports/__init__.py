"""Print what was found: tables and JSON."""
