"""The event bus `permission-guard`: its events, and the publisher."""
