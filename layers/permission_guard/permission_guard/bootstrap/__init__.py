"""Composition roots: the only place where parts are put together."""
