"""Findings of AWS Security Hub."""
