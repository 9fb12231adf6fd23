"""HTTP for alert and ticket systems: within a time limit, with retries, and without exposing credentials."""
