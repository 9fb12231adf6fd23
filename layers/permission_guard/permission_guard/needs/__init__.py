"""Decide what a configuration requires of the execution role, and whether the role allows it."""
