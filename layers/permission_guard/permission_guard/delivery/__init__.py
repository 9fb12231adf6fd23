"""Deliver findings to people: the ledger, the message, alert channels and ticket systems."""
