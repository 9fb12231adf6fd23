"""Reads what the needs of an execution role hang on: the state and the own policies of what it is used on."""
