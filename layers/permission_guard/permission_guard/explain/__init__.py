"""Explain one function: who can invoke it and why, and what its execution role needs and has."""
