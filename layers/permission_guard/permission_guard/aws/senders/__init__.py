"""Senders: put check requests on the queues and events on the bus."""
