"""The composition root of what the senders know about the time that is left."""

from __future__ import annotations

from functools import cache

from permission_guard.delivery.patience import Patience


def patience() -> Patience:
    """Return what the execution environment keeps."""
    return _patience()


@cache
def _patience() -> Patience:
    return Patience()
