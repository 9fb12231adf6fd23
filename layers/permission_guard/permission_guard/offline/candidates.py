"""The possible values of a reference that the file does not contain."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

from permission_guard.invokers import invoker_of
from permission_guard.offline.unresolved import begins_with, sole_unresolved, unresolved_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from permission_guard.model.targets import JSON
    from permission_guard.offline.physical_names import Place
    from permission_guard.offline.unresolved import Unresolved

MAX_SCENARIOS: Final = 256

_ARNS: Final = frozenset({"aws:sourcearn", "aws:principalarn"})
_ACCOUNTS: Final = frozenset({"aws:sourceaccount", "aws:sourceowner", "aws:principalaccount"})
_ORGANIZATIONS: Final = frozenset({"aws:principalorgid", "aws:sourceorgid"})
_EXACT: Final = {
    "action": ("lambda:InvokeFunction", "lambda:*"),
    "lambda:functionurlauthtype": ("NONE", "AWS_IAM"),
    "lambda:invokedviafunctionurl": ("true", "false"),
}
_SOME_SOURCE: Final = "arn:{partition}:sns:{region}:{account}:NAME"


@dataclass(frozen=True, slots=True)
class Usage:
    """A place of a reference: its element or condition key, and whether it is or begins the value."""

    place: str
    whole: bool
    first: bool


@dataclass(frozen=True, slots=True)
class Candidates:
    """Create candidates for unresolved values. `stranger` is an account that is not trusted."""

    place: Place
    stranger: str
    organizations: tuple[str, ...] = ()

    def of(self, unresolved: Unresolved, usages: Sequence[Usage], principals: Collection[str], token: str) -> list[str]:
        """Return the possible values of a reference, the most relevant first."""
        if unresolved.allowed:
            return list(unresolved.allowed)
        accounts = [self.place.account] if unresolved.own else [self.place.account, self.stranger]
        found = [
            candidate for usage in usages for candidate in self._at(usage, unresolved, accounts, principals, token)
        ]
        return list(dict.fromkeys(found))

    def _at(
        self, usage: Usage, unresolved: Unresolved, accounts: list[str], principals: Collection[str], token: str
    ) -> list[str]:
        if usage.place == "principal":
            return self._principals(usage, unresolved, accounts, token)
        if usage.place not in _ARNS:
            known = {
                **_EXACT,
                **dict.fromkeys(_ACCOUNTS, accounts),
                **{key: [f"o-{token}", *self.organizations[:1]] for key in _ORGANIZATIONS},
            }
            return list(known.get(usage.place, [token]))
        arns = artificial_arns(self.place, accounts, principals, token) if usage.first else []
        if usage.whole:
            return arns
        return [token, *arns, *([] if unresolved.own else [*accounts, self.place.partition, self.place.region])]

    def _principals(self, usage: Usage, unresolved: Unresolved, accounts: list[str], token: str) -> list[str]:
        if not usage.whole:
            return [token, *accounts, self.place.region]
        roles = [f"arn:{self.place.partition}:iam::{account}:role/{token}" for account in accounts]
        return roles if unresolved.own else [*accounts, *roles, "*", f"{token}.amazonaws.com"]

    def is_artificial(self, candidate: str) -> bool:
        """Return whether a candidate occurs only in place of a reference, and must be shown as that reference."""
        return candidate.startswith(("unresolved", "o-unresolved", "arn:")) or candidate == self.stranger


def artificial_arns(place: Place, accounts: Sequence[str], principals: Collection[str], token: str) -> list[str]:
    """Return an ARN that a source of each service principal can have, in each account, with a token as its name."""
    forms = [invoker_of(name).source_arn or _SOME_SOURCE for name in principals] or [_SOME_SOURCE]
    return [
        re.sub(r"[A-Z][A-Z-]*", token, naming.format(partition=place.partition, region="\0", account=account)).replace(
            "\0", place.region
        )
        for account in accounts
        for naming in forms
    ]


def usages_in(place: str, value: JSON) -> Iterator[tuple[str, Usage]]:
    """Yield each unresolved reference in a value, with its place."""
    if isinstance(value, str):
        for name in unresolved_in(value):
            yield name, Usage(place, sole_unresolved(value) == name, begins_with(value) == name)
    elif isinstance(value, list):
        for item in value:
            yield from usages_in(place, item)


def combinations(candidates: Mapping[str, Sequence[str]]) -> Iterator[dict[str, str]]:
    """Yield every combination of candidates, none if there are more than MAX_SCENARIOS."""
    count = 1
    for candidate in candidates.values():
        count *= len(candidate)
    if count > MAX_SCENARIOS:
        return
    for chosen in product(*candidates.values()):
        yield dict(zip(candidates, chosen, strict=True))
