"""Read the state and the policies of sources, secrets, keys and destinations, each of them once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from permission_guard.aws.readers.resource_tags import ACTION as GET_RESOURCES
from permission_guard.aws.readers.resource_tags import SERVICE as TAGS
from permission_guard.aws.readers.resource_tags import tags_of
from permission_guard.aws.readers.sources import kms, secretsmanager
from permission_guard.aws.readers.sources.base import NOT_FOUND, SourceReading, attempt
from permission_guard.iam import parse_policy
from permission_guard.iam.arn import parse_arn, require_arn
from permission_guard.model.state import Unread
from permission_guard.needs.resource_tags import lists_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from permission_guard.aws.readers.sources.base import SourceRead, SourceService
    from permission_guard.iam import Policy
    from permission_guard.model.state import SourceState
    from permission_guard.model.targets import JSON, FunctionTarget

_ANY = frozenset("*?")


class SourceReader:
    """Reads queues, streams, tables, clusters, secrets, keys and destinations.

    It caches what it read until `forget`. `client` returns the boto3 client of a service and is called at first use,
    because most functions need none of them.
    """

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._client = client
        self.forget()

    def forget(self) -> None:
        """Drop the cache, so that everything is read again."""
        self._cache: dict[tuple[str, str], Any] = {}

    def state(self, arn: str, function: FunctionTarget) -> SourceState | Unread | None:
        """Read the state of a resource that a function uses. None if its service is not read.

        A secret can be given by its name. A resource of another account that seems not to exist is Unread, because AWS
        returns the same error when the caller is not allowed. A resource in another region is Unread too: these
        clients cannot reach it.
        """
        service, arn = _service_of(arn, function)
        if service is None or service.state is None:
            return None
        reading = self._read(service, service.state, arn, function)
        if service.policy and isinstance(reading, SourceReading) and reading.state_from:
            reading = self._read(service, service.policy, reading.state_from, function)
        if isinstance(reading, Unread):
            return reading
        if not reading.key:
            return reading.state
        key = self._key(reading.key, arn, function)
        return key if isinstance(key, Unread) else replace(reading.state, kms_key_arn=key)

    def policy(self, arn: str, function: FunctionTarget) -> Policy | Unread | None:
        """Read the policy of a resource that a function uses, with the grants to roles. None if there is none.

        It is Unread in the cases of `state`, where the ARN has wildcards (`key/*`), and where only the policy could be
        read, because grants can allow what the policy does not.
        """
        service, arn = _service_of(arn, function)
        if service is None or service.policy is None:
            return None
        reading = self._read(service, service.policy, arn, function)
        if isinstance(reading, Unread):
            return reading
        if reading.policy.strip() in ("", "{}"):
            return None
        policy = parse_policy(reading.policy, name=arn)
        granted = self._read(service, service.grants, arn, function) if service.grants else SourceReading()
        return granted if isinstance(granted, Unread) else _with_grants(policy, granted.grants)

    def resource_tags(self, arn: str, function: FunctionTarget) -> Mapping[str, str] | Unread | None:
        """Read the tags of a resource that a function uses. None if AWS lists none, or not for such a resource."""
        if not lists_tags(arn, function.region, function.account):
            return None
        tags: Mapping[str, str] | Unread | None = self._cached(
            GET_RESOURCES, arn, lambda: tags_of(lambda: self._client(TAGS), arn)
        )
        return tags

    def _key(self, key: str, arn: str, function: FunctionTarget) -> str | Unread | None:
        """Return the ARN of the key that a resource names. None for a key that AWS manages."""
        if "alias/aws/" in key:
            return None
        named = kms.key_arn(key, arn, function)
        reading = self._read(kms.KMS, kms.DESCRIPTION, named, function)
        if reading is NOT_FOUND:
            reading = _missing(kms.DESCRIPTION.action, named)
        if not isinstance(reading, Unread):
            return reading.state.kms_key_arn
        # Every account may describe its AWS managed keys, so a key that may not be described is a customer managed one.
        return named if reading.denied and ":key/" in named else reading

    def _cached(self, action: str, about: str, read: Callable[[], Any]) -> Any:
        """Return the reply of a call about a resource, made once."""
        if (action, about) not in self._cache:
            self._cache[action, about] = read()
        return self._cache[action, about]

    def _read(
        self, service: SourceService, source_read: SourceRead, arn: str, function: FunctionTarget
    ) -> SourceReading | Unread:
        about = source_read.resource_of(arn)
        resource = require_arn(about)
        if _ANY & set(about):
            return Unread(
                source_read.action, "NotKnown", f"{arn} has wildcards: which resource it is, is unknown", denied=True
            )
        if resource.region not in ("", function.region):
            return Unread(source_read.action, "OtherRegion", f"{about} is not in {function.region}", denied=True)
        is_foreign = resource.account not in ("", function.account)
        if is_foreign and source_read.same_account_only:
            return Unread(
                source_read.action, "OtherAccount", f"{about} is not in account {function.account}", denied=True
            )
        reading: SourceReading | Unread | None = self._cached(
            source_read.action, about, lambda: attempt(source_read, lambda: self._client(service.client), about)
        )
        if reading is None:
            return _missing(source_read.action, about) if is_foreign else NOT_FOUND
        return reading


def _service_of(arn: str, function: FunctionTarget) -> tuple[SourceService | None, str]:
    """Return the service of a resource, None if it is not read, and the resource's ARN."""
    from permission_guard.aws.readers.sources.services import SERVICES  # noqa: PLC0415 - few functions need any of them

    arn = arn if arn.startswith("arn:") else secretsmanager.named(arn, function)
    parsed = parse_arn(arn)
    return (SERVICES.get(parsed.service) if parsed else None), arn


def _with_grants(policy: Policy, grants: Sequence[Mapping[str, JSON]]) -> Policy:
    """Return a policy with more statements. A policy that cannot be parsed stays as it is."""
    document = policy.document
    if not grants or policy.unreadable or not isinstance(document, dict):
        return policy
    own = document.get("Statement", [])
    statements = [*(own if isinstance(own, list) else [own]), *grants]
    return parse_policy({**document, "Statement": statements}, name=policy.name)


def _missing(action: str, arn: str) -> Unread:
    return Unread(action, "NotFound", f"{arn} does not exist or may not be read", denied=True)
