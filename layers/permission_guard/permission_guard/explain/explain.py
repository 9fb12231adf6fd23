"""Put the parts of an explanation together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.checks.engine import evaluate
from permission_guard.explain.callers import ways
from permission_guard.explain.explanation import Explanation
from permission_guard.explain.required import requirements
from permission_guard.explain.statements import other_verdicts, statements, triggers
from permission_guard.model.state import Unread
from permission_guard.model.targets import Direction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from permission_guard.explain.state import FunctionState
    from permission_guard.iam import TrustSet
    from permission_guard.rules import Rule

LIMITS: Final = (
    "Organization policies (SCPs and RCPs) and session policies are not read: they can deny what is allowed here.",
    "Of other accounts only the function's side is known: a role or user there also needs a policy of its own.",
)


def explain(state: FunctionState, rules: Sequence[Rule], trust: TrustSet) -> Explanation:
    """Return who can invoke the function and why, what it needs of its execution role, and what the rules report.

    `rules` are those of both directions, and `trust` the trusted accounts and organizations.
    """
    of_invoking = evaluate(state.invokes, [rule for rule in rules if rule.direction is Direction.INVOKE_POLICY])
    reports = [of_invoking]
    if state.runs is not None:
        reports.append(evaluate(state.runs, [rule for rule in rules if rule.direction is Direction.EXECUTION_ROLE]))
    return Explanation(
        function_arn=state.arn,
        statements=tuple(statements(state, of_invoking, trust)),
        ways=tuple(ways(state)),
        triggers=tuple(triggers(state, of_invoking)),
        requirements=tuple(requirements(state.runs, state.qualifier)) if state.runs else (),
        verdicts=tuple(other_verdicts(reports, state)),
        unread=tuple(dict.fromkeys(unread(state))),
        limits=LIMITS,
    )


def unread(state: FunctionState) -> Iterator[str]:
    """Yield what could not be read, as sentences."""
    invokes, runs = state.invokes, state.runs
    parts: list[tuple[str, object]] = [
        ("The function's configuration was not read.", invokes.function),
        *(
            ("A policy, or which aliases and versions there are, was not read.", one)
            for one in invokes.resource_policies
        ),
        ("The aliases were not read.", state.aliases),
        ("The published versions were not read.", state.versions),
        ("The function's URLs were not read.", invokes.function_urls),
        *((f"What {one.name} is set up to invoke was not read.", one.sources) for one in invokes.inventories),
        ("The roles and users of the account were not read.", state.identities.unread),
    ]
    if invokes.function_urls is None:
        yield "The function's URLs were not read."
    if runs is None:
        yield "What the execution role needs was not read."
    else:
        parts += [
            ("The event source mappings were not read.", runs.mappings),
            ("The destinations of asynchronous invocations were not read.", runs.invoke_configs),
            *((f"The role {arn} was not read.", role) for arn, role in runs.roles.items()),
        ]
    for sentence, part in parts:
        if isinstance(part, Unread):
            yield f"{sentence} {part}"
