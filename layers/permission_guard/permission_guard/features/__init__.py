"""What the configuration of a function can turn on: what each takes of the execution role, and who carries it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.event_sources import NOTHING_READ
from permission_guard.features.base import Feature

if TYPE_CHECKING:
    from permission_guard.event_sources import Need, Sources
    from permission_guard.model import Function

FEATURES: tuple[Feature, ...] = ()


def needs_of(function: Function, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
    """Return what a function or a version takes of its role besides its event sources, of every kind."""
    return tuple(need for feature in FEATURES for need in feature.needs(function, sources))


__all__ = ["FEATURES", "Feature", "needs_of"]
