"""Deliver findings to people: the delivery ledger, the message, alert channels and ticket systems."""
