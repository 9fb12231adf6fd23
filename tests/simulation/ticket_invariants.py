"""What must hold of the tickets in every system when everything is quiet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.model.findings import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.findings import Finding
    from tests.simulation.world import World


def each_finding_has_one_ticket(world: World, findings: list[Finding]) -> Iterator[str]:
    """Each system has at most one ticket of a finding, and one of an open finding, unless the digest reports it."""
    for system in world.stack.ticket_systems:
        for finding in findings:
            number = len(world.receivers.tickets.tickets(system, finding))
            if number > 1 or (number == 0 and finding.status is Status.OPEN and not finding.baseline):
                yield f"{name_of(finding)} is {finding.status} and has {number} tickets in {system}"


def each_ticket_is_in_its_finding_s_state(world: World, findings: list[Finding]) -> Iterator[str]:
    """A ticket is open if its finding is, unless a person closed it, and the bot wrote the last revision into it."""
    systems = world.receivers.tickets
    for system in world.stack.ticket_systems:
        for finding in findings:
            for ticket in systems.tickets(system, finding):
                words = f"{ticket.reference} of {system}, about {name_of(finding)}, which is {finding.status}"
                is_left = systems.is_closed_by_a_person(system, ticket.reference)
                if ticket.is_open != (finding.status is Status.OPEN and not is_left):
                    by_a_person = " by a person" if is_left else ""
                    yield f"{words}, is {'open' if ticket.is_open else f'closed{by_a_person}'}"
                if (ticket.mark.revision, ticket.mark.status) != (finding.revision, finding.status):
                    yield f"{words} at revision {finding.revision}, has revision {ticket.mark.revision}"


def each_closing_gets_at_most_one_comment(world: World, _findings: list[Finding]) -> Iterator[str]:
    """A ticket that a person closed gets one comment.

    Another one is allowed if a fault kept the first from being recorded in the ticket: nobody knows then that it is
    there.
    """
    for closing in world.receivers.tickets.closings:
        recorded = [one for one in closing.commented_by if one is None or not one.is_disturbed]
        if len(recorded) > 1:
            yield f"{closing} was closed once, and has {len(closing.commented_by)} comments since"


def name_of(finding: Finding) -> str:
    """Return a finding in short words."""
    return f"{finding.rule_id} of {finding.target_arn.rpartition(':')[2]} ({finding.id[:8]})"
