"""One compiled statement of a policy: what it matches, and which of its elements are invalid."""

from __future__ import annotations

from permission_guard.iam.actions import ActionSet, action_problem
from permission_guard.iam.conditions import Condition, parse_conditions
from permission_guard.iam.context import UNKNOWN as UNKNOWN_KEY
from permission_guard.iam.context import plain, shown
from permission_guard.iam.logic import FALSE, TRUE, UNKNOWN
from permission_guard.iam.principals import PrincipalSet
from permission_guard.iam.resources import ResourcePattern, ResourceSet
from permission_guard.records import field, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Final

    from permission_guard.iam.policy_variables import Lookup

ALLOW: Final = "Allow"
DENY: Final = "Deny"

_ELEMENTS: Final = frozenset(
    {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
)


class Twice(dict[str, object]):
    """A JSON object in which a key appears twice. AWS rejects it."""


@record
class Statement:
    """A statement of a policy.

    `effect` is `Allow` or `Deny`, or None if the element is invalid. `problems` are the reasons why AWS rejects the
    statement. A `malformed` statement never allows, but can still deny.
    """

    sid: str | None
    index: int
    effect: str | None
    raw: Mapping[str, object] = field(hash=False)
    problems: tuple[str, ...]
    malformed: bool = field(compare=False, repr=False)
    actions: ActionSet | None = field(compare=False, repr=False)
    action_texts: tuple[str, ...] = field(compare=False, repr=False)
    not_action: bool = field(compare=False, repr=False)
    resources: ResourceSet | None = field(compare=False, repr=False)
    not_resource: bool = field(compare=False, repr=False)
    principals: PrincipalSet | None = field(compare=False, repr=False)
    conditions: tuple[Condition, ...] = field(compare=False, repr=False)

    def match_action(self, action: str) -> int:
        """Return whether the statement applies to an action, which must be in lower case."""
        if self.actions is None:
            return UNKNOWN
        matched = self.actions.match(action)
        return TRUE - matched if self.not_action else matched

    def match_resource(self, resource: str, lookup: Lookup) -> int:
        """Return whether the statement applies to a resource."""
        if self.resources is None:
            return TRUE if self.is_trust else UNKNOWN
        matched = self.resources.match(resource, lookup)
        return TRUE - matched if self.not_resource else matched

    def match_conditions(self, lookup: Lookup) -> int:
        """Return whether all conditions are true."""
        worst = TRUE
        for condition in self.conditions:
            found = condition.evaluate(lookup)
            if found < worst:
                if found == FALSE:
                    return FALSE
                worst = found
        return worst

    def match(self, resource: str, lookup: Lookup) -> int:
        """Return whether the resource and the conditions match."""
        matched = self.match_resource(resource, lookup)
        if matched and self.conditions:
            matched = min(matched, self.match_conditions(lookup))
        return min(matched, UNKNOWN) if self.malformed else matched

    @property
    def is_trust(self) -> bool:
        """Whether the statement belongs to a role's trust policy, which has no Resource element."""
        raw = self.raw
        return (
            self.principals is not None
            and "Resource" not in raw
            and "NotResource" not in raw
            and bool(self.action_texts)
            and all(text.lower().startswith("sts:") for text in self.action_texts)
        )

    def unknown_keys(self, lookup: Lookup) -> Iterator[str]:
        """Yield the unknown condition keys on which the result of the statement depends."""
        for condition in self.conditions:
            if condition.evaluate(lookup) == UNKNOWN:
                yield from condition.unknown_keys(lookup)
        for pattern in self.resources or ():
            for key in pattern.variables():
                if lookup(key.lower()) is UNKNOWN_KEY:
                    yield key


def parse_statement(raw: object, index: int, *, variables: bool) -> Statement:
    """Compile one statement. Return a `Statement` for any JSON value, and never raise."""
    if not isinstance(raw, dict):
        problems = ("the statement is not an object",)
        return Statement(None, index, None, {}, problems, True, None, (), False, None, False, None, ())
    structural: list[str] = []
    minor: list[str] = []
    if isinstance(raw, Twice):
        structural.append("an element appears twice")
    if not raw.keys() <= _ELEMENTS:
        structural.append(f"unknown elements: {', '.join(sorted(plain(key) for key in raw.keys() - _ELEMENTS))}")
    effect = raw.get("Effect")
    if effect not in (ALLOW, DENY):
        structural.append(f"the effect is {shown(effect)}, not 'Allow' or 'Deny'")
        effect = None
    sid = raw.get("Sid")
    if sid is not None and not isinstance(sid, str):
        structural.append("the Sid is not a string")
        sid = None

    action_texts, not_action = _texts(raw, "Action", structural)
    for text in action_texts or ():
        problem = action_problem(text)
        if problem:
            minor.append(problem)
    lenient = effect == ALLOW and not not_action
    actions = None if action_texts is None else ActionSet(action_texts, prefix_wildcard=FALSE if lenient else UNKNOWN)

    principals = _principals(raw, structural)
    resources: ResourceSet | None = None
    not_resource = False
    trust = principals is not None and bool(action_texts) and "Resource" not in raw and "NotResource" not in raw
    if not (trust and all(text.lower().startswith("sts:") for text in action_texts or ())):
        resource_texts, not_resource = _texts(raw, "Resource", structural)
        if resource_texts is not None:
            short = TRUE if effect == DENY and not not_resource else UNKNOWN
            untyped = FALSE if effect == ALLOW and not not_resource else UNKNOWN
            resources = ResourceSet(
                ResourcePattern(text, variables=variables, short=short, untyped=untyped) for text in resource_texts
            )

    conditions: tuple[Condition, ...] = ()
    if "Condition" in raw:
        block = raw["Condition"]
        if _is_once(block) and all(_is_once(keys) for keys in block.values()):
            conditions, found = parse_conditions(block, variables=variables)
            minor += found
        else:
            structural.append(
                "Condition is not an object of operators that each contain an object, or a name appears twice"
            )
    return Statement(
        sid=sid,
        index=index,
        effect=effect,
        raw=raw,
        problems=(*structural, *minor),
        malformed=bool(structural),
        actions=actions,
        action_texts=tuple(action_texts or ()),
        not_action=not_action,
        resources=resources,
        not_resource=not_resource,
        principals=principals,
        conditions=conditions,
    )


def _is_once(value: object) -> bool:
    return isinstance(value, dict) and not isinstance(value, Twice)


def _texts(raw: Mapping[str, object], element: str, problems: list[str]) -> tuple[list[str] | None, bool]:
    """Return the strings of an element or its negation, None if invalid, and whether it is the negation."""
    negation = f"Not{element}"
    present = element in raw
    if present == (negation in raw):
        problems.append(
            f"it has both {element} and {negation}" if present else f"it has neither {element} nor {negation}"
        )
        return None, False
    name = element if present else negation
    value = raw[name]
    if isinstance(value, str):
        return [value], not present
    if not isinstance(value, (list, tuple)) or not value:
        problems.append(f"{name} is neither a string nor a list of strings")
        return None, not present
    texts = [text for text in value if isinstance(text, str)]
    if len(texts) != len(value):
        problems.append(f"{name} contains a value that is not a string")
        return None, not present
    return texts, not present


def _principals(raw: Mapping[str, object], problems: list[str]) -> PrincipalSet | None:
    present = "Principal" in raw
    if not present and "NotPrincipal" not in raw:
        return None
    if present and "NotPrincipal" in raw:
        problems.append("it has both Principal and NotPrincipal")
        return None
    value = raw["Principal"] if present else raw["NotPrincipal"]
    if isinstance(value, Twice):
        problems.append("a principal type appears twice")
    principals = PrincipalSet(value, negated=not present)
    problems += principals.problems
    return principals
