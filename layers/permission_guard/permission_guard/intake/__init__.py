"""From CloudTrail events and queue messages to check targets."""
