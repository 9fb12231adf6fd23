"""Mutated events to every handler, and mutated items to every reader of a table: `make fuzz`."""
