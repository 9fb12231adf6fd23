"""To which channels a finding's alert goes: the default ones, those of its routes, and those that had its opening."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.delivery.routes import channels_of
from permission_guard.model.findings import Transition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from permission_guard.config.destinations import Route
    from permission_guard.delivery.alerts.channel import AlertChannel
    from permission_guard.model.findings import Finding

_ENDS: Final = frozenset({Transition.RESOLVED, Transition.SUPPRESSED})


class AlertRoutes:
    """The routes of a deployment. `channels` are all channels by name, and `default` the names of the default ones."""

    def __init__(self, routes: Sequence[Route], channels: Mapping[str, AlertChannel], default: Sequence[str]) -> None:
        self._routes = routes
        self._channels = channels
        self._default = default

    def channels(self, finding: Finding) -> list[AlertChannel]:
        """Return the channels to try: at the end of a finding all of them, since each may have had its opening."""
        names = self._names(finding)
        if finding.transition in _ENDS and finding.revision > 1:
            names = tuple(dict.fromkeys([*names, *self._channels]))
        return [self._channels[name] for name in names]

    def is_routed(self, finding: Finding, channel: str) -> bool:
        """Return whether alerts about a finding go to a channel, whatever that had before."""
        return channel in self._names(finding)

    def _names(self, finding: Finding) -> tuple[str, ...]:
        return channels_of(finding, self._routes, default=self._default, known=self._channels)
