"""List the features of a function: what each requires of the execution role, and which managed policy contains it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.needs.base import NOTHING_READ
from permission_guard.needs.features.application_signals import ApplicationSignals
from permission_guard.needs.features.base import Feature, OptionalFeature
from permission_guard.needs.features.dead_letter import DeadLetter
from permission_guard.needs.features.durable_execution import DurableExecution
from permission_guard.needs.features.file_systems import ElasticFileSystem, S3Files
from permission_guard.needs.features.insights import Insights
from permission_guard.needs.features.logging import Logging
from permission_guard.needs.features.network import Network
from permission_guard.needs.features.tracing import Tracing

if TYPE_CHECKING:
    from permission_guard.model.state import Function, Sources
    from permission_guard.needs.base import Need

OPTIONAL_FEATURES: tuple[OptionalFeature, ...] = (
    ApplicationSignals(),
    DurableExecution(),
    ElasticFileSystem(),
    Insights(),
    S3Files(),
)

FEATURES: tuple[Feature, ...] = (DeadLetter(), Logging(), Network(), Tracing(), *OPTIONAL_FEATURES)


def needs_of(function: Function, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
    """Return what the configuration of a function or a version requires of its role, without its event sources."""
    return tuple(need for feature in FEATURES for need in feature.needs(function, sources))


__all__ = ["FEATURES", "OPTIONAL_FEATURES", "Feature", "OptionalFeature", "needs_of"]
