"""Read the state and the policies of sources, secrets, keys and destinations, each of them once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from permission_guard.aws.readers.sources import kms, secretsmanager
from permission_guard.aws.readers.sources.base import GONE, SourceReading, attempt
from permission_guard.aws.readers.sources.services import SERVICES
from permission_guard.iam import parse_policy
from permission_guard.iam.arn import parse_arn
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from permission_guard.aws.readers.sources.base import SourceRead, SourceService
    from permission_guard.iam import Policy
    from permission_guard.model.state import SourceState
    from permission_guard.model.targets import JSON, FunctionTarget

_ANY = frozenset("*?")


class SourceReader:
    """What queues, streams, tables, clusters, secrets, keys and destinations say of themselves.

    It remembers what it read: make one for each batch. `client` makes the client of a service, when it is first used:
    most functions need none of them.
    """

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._client = client
        self._seen: dict[tuple[str, str], SourceReading | Unread | None] = {}

    def forget(self) -> None:
        """Read everything anew from now on."""
        self._seen = {}

    def state(self, arn: str, function: FunctionTarget) -> SourceState | Unread | None:
        """Read the state of what a function uses; None where it is of a service that is not asked.

        A secret may be given by its name. What is of another account and says that it does not exist is Unread: it
        says the same to whom it does not let in. So is what is in another region, which these clients cannot reach.
        """
        service, arn = _service_of(arn, function)
        if service is None or service.state is None:
            return None
        seen = self._look(service, service.state, arn, function)
        if service.policy and isinstance(seen, SourceReading) and seen.leads_to:
            seen = self._look(service, service.policy, seen.leads_to, function)
        if isinstance(seen, Unread):
            return seen
        if not seen.key:
            return seen.state
        key = self._key(seen.key, arn, function)
        return key if isinstance(key, Unread) else replace(seen.state, kms_key_arn=key)

    def policy(self, arn: str, function: FunctionTarget) -> Policy | Unread | None:
        """Read the policy of what a function uses, with the grants to roles; None where it has none, or does not exist.

        It is Unread where a state is, where the ARN has wildcards and nobody knows which one it is (`key/*`), and
        where the policy alone could be read: grants may allow what it does not.
        """
        service, arn = _service_of(arn, function)
        if service is None or service.policy is None:
            return None
        seen = self._look(service, service.policy, arn, function)
        if isinstance(seen, Unread):
            return seen
        if seen.policy.strip() in ("", "{}"):
            return None
        policy = parse_policy(seen.policy, name=arn)
        granted = self._look(service, service.grants, arn, function) if service.grants else SourceReading()
        return granted if isinstance(granted, Unread) else _with_grants(policy, granted.grants)

    def _key(self, key: str, arn: str, function: FunctionTarget) -> str | Unread | None:
        """Return the ARN of the key that a resource names, None where it is AWS's own."""
        if "alias/aws/" in key:
            return None
        named = kms.key_arn(key, arn, function)
        seen = self._look(kms.KMS, kms.DESCRIPTION, named, function)
        if seen is GONE:
            seen = _missing(kms.DESCRIPTION.action, named)
        if not isinstance(seen, Unread):
            return seen.state.kms_key_arn
        # An account may describe the keys that AWS makes in it: one that may not be described is no such key.
        return named if seen.denied and ":key/" in named else seen

    def _look(
        self, service: SourceService, look: SourceRead, arn: str, function: FunctionTarget
    ) -> SourceReading | Unread:
        about = look.about(arn)
        region, account = about.split(":", 5)[3:5]
        if _ANY & set(about):
            return Unread(look.action, "NotKnown", f"it is not known which of {arn} it is", denied=True)
        if region not in ("", function.region):
            return Unread(look.action, "OtherRegion", f"{about} is not in {function.region}", denied=True)
        is_foreign = account not in ("", function.account)
        if is_foreign and look.own:
            return Unread(look.action, "OtherAccount", f"{about} is not of {function.account}", denied=True)
        if (look.action, about) not in self._seen:
            self._seen[look.action, about] = attempt(look, lambda: self._client(service.client), about)
        seen = self._seen[look.action, about]
        if seen is None:
            return _missing(look.action, about) if is_foreign else GONE
        return seen


def _service_of(arn: str, function: FunctionTarget) -> tuple[SourceService | None, str]:
    """Return the service of what is named, None where it is not one of ours, and its ARN."""
    arn = arn if arn.startswith("arn:") else secretsmanager.named(arn, function)
    parsed = parse_arn(arn)
    return (SERVICES.get(parsed.service) if parsed else None), arn


def _with_grants(policy: Policy, grants: Sequence[Mapping[str, JSON]]) -> Policy:
    """Return a policy with more statements; one that nobody understands says nothing either way."""
    document = policy.document
    if not grants or policy.unreadable or not isinstance(document, dict):
        return policy
    own = document.get("Statement", [])
    statements = [*(own if isinstance(own, list) else [own]), *grants]
    return parse_policy({**document, "Statement": statements}, name=policy.name)


def _missing(action: str, arn: str) -> Unread:
    return Unread(action, "NotFound", f"{arn} does not exist or may not be read", denied=True)
