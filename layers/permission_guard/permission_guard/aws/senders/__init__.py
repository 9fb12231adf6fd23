"""Senders: put messages on queues and events on the bus."""
