"""Findings: their lifecycle, the store's protocol, and the checkpoint that a check leaves."""
