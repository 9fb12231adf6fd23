"""Ticket systems: one folder a system, formatter and client side by side."""
