"""Apprise: what else people are notified with, each by a URL."""
