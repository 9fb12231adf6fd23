"""Where the alerts and tickets of a finding go: the default destinations, and those of its routes. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.findings.exceptions import has_tags, names_function
from permission_guard.model.arns import parse_function_arn
from permission_guard.model.verdicts import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Sequence

    from permission_guard.config.destinations import Route
    from permission_guard.model.findings import Finding


def channels_of(
    finding: Finding, routes: Iterable[Route], *, default: Sequence[str], known: Container[str]
) -> tuple[str, ...]:
    """Return the names of the channels that alerts about a finding go to: the default ones first, each name once.

    `known` are the channels that exist. A route that names no other replaces no default channel.
    """
    return _destinations(finding, routes, lambda route: route.channels, default, known)


def tickets_of(
    finding: Finding, routes: Iterable[Route], *, default: Sequence[str], known: Container[str]
) -> tuple[str, ...]:
    """Return the names of the ticket systems that have a ticket of a finding, as `channels_of` does for channels."""
    return _destinations(finding, routes, lambda route: route.tickets, default, known)


def _destinations(
    finding: Finding,
    routes: Iterable[Route],
    named: Callable[[Route], Sequence[str]],
    default: Sequence[str],
    known: Container[str],
) -> tuple[str, ...]:
    added: list[str] = []
    has_default = True
    for route in routes:
        if not _matches(route, finding):
            continue
        names = [name for name in named(route) if name in known]
        added += names
        has_default = has_default and not (names and _replaces_default(route, finding))
    return tuple(dict.fromkeys([*(default if has_default else ()), *added]))


def _replaces_default(route: Route, finding: Finding) -> bool:
    """Return whether a route that matches a finding takes it from the default destinations.

    Whoever may tag a function chooses its tags: they never take a high or critical finding from there.
    """
    if not route.only or (route.tags and not finding.severity.is_below(Severity.HIGH)):
        return False
    if not (route.functions and finding.role_arn):
        return True
    is_whole = 0 < finding.function_count == len(finding.functions)
    return is_whole and all(_names(route, arn) for arn in finding.functions)


def _matches(route: Route, finding: Finding) -> bool:
    """Return whether a finding matches every key of a route."""
    return (
        (not route.severities or finding.severity in route.severities)
        and (not route.rules or finding.rule_id in route.rules)
        and (not route.accounts or finding.account in route.accounts)
        and (not route.functions or any(_names(route, arn) for arn in _functions(finding)))
        and (not route.tags or (not finding.role_arn and has_tags(finding.tags, route.tags)))
    )


def _functions(finding: Finding) -> Sequence[str]:
    return finding.functions if finding.role_arn else (finding.function_arn,)


def _names(route: Route, function_arn: str) -> bool:
    return names_function(route.functions, parse_function_arn(function_arn)[0])
