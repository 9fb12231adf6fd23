"""Composition roots: the only place where parts are put together."""

import gc

gc.set_threshold(50_000, 20, 20)
"""A cold start creates some ten thousand objects that live as long as the process. By default, Python looks for garbage
among them again and again, which takes up to a quarter of the import."""
