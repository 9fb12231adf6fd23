"""One function of a list, with what is read of it alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from permission_guard.aws.calls import read
from permission_guard.aws.readers.bulk.shared import Packed
from permission_guard.aws.readers.functions import FunctionReader
from permission_guard.iam.invoking import FUNCTION_URL_KEYS
from permission_guard.model.arns import parse_function_arn
from permission_guard.model.state import Function, ResourcePolicy, Unread
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_lambda import LambdaClient

    from permission_guard.aws.readers.bulk.function_list import ListedFunction
    from permission_guard.aws.readers.bulk.parts import SharedParts
    from permission_guard.model.state import EventInvokeConfig, EventSourceMapping, FunctionUrl
    from permission_guard.model.targets import FunctionTarget

_LATEST: Final = "$LATEST"


@record
class FunctionParts:
    """What was read of one function for the snapshot of its execution role."""

    target: FunctionTarget
    functions: Mapping[str, Function | Unread | None]
    invoke_configs: tuple[EventInvokeConfig, ...] | Unread | None


class FunctionInBulk(FunctionReader):
    """One function, with the methods of `FunctionReader`: from the list, or read once and kept. Not safe for threads.

    `parts` has what all functions share.
    """

    def __init__(self, client: LambdaClient, listed: ListedFunction, parts: SharedParts) -> None:
        super().__init__(client)
        self._listed = listed
        self._parts = parts
        self._selection = parts.selection
        self._policies: dict[str | None, ResourcePolicy | Unread | None] = {}
        self._urls: tuple[FunctionUrl, ...] | Unread | None = None
        self._aliases: dict[str, str] | Unread | None = None
        self._configs: tuple[EventInvokeConfig, ...] | Unread | None = None
        self._functions: dict[str, Function | Unread | None] = {}

    def function_urls(  # type: ignore[override] # a snapshot may lack the URLs
        self, target: FunctionTarget
    ) -> tuple[FunctionUrl, ...] | Unread | None:
        """Read the URLs if every function's are to be read, or a statement refers to one. None if not."""
        if self._urls is None and self._selection.reads_urls:
            policies = [policy for policy in self._policies.values() if isinstance(policy, ResourcePolicy)]
            if self._selection.full or any(map(_refers_to_url, policies)):
                self._urls = super().function_urls(target)
        return self._urls

    def invoke_configs(self, target: FunctionTarget) -> tuple[EventInvokeConfig, ...] | Unread:
        """Read the destinations, once."""
        if self._configs is None:
            self._configs = super().invoke_configs(target)
        return self._configs

    def function(self, arn: str) -> Function | Unread | None:
        """Return a configuration: with the state, read once; else from the list, without it."""
        if arn not in self._functions:
            self._functions[arn] = super().function(arn) if self._selection.full else self._from_list(arn)
        return self._functions[arn]

    def mappings(self) -> Mapping[str, tuple[EventSourceMapping, ...]] | Unread:
        """Return the function's event source mappings, by its ARN."""
        found = self._parts.mappings.of(self._listed.target)
        return found if isinstance(found, Unread) else {self._listed.target.arn: found}

    def tags(self, target: FunctionTarget) -> Mapping[str, str] | Unread:
        """Return the function's tags."""
        return self._parts.tags.of(target)

    def keep(self) -> Packed[FunctionParts]:
        """Return, compressed, what the snapshot of the execution role is made of."""
        return Packed(FunctionParts(self._listed.target, self._functions, self._configs))

    def _from_list(self, arn: str) -> Function | Unread | None:
        if arn == self._listed.target.arn:
            return self._listed.function
        qualifier = parse_function_arn(arn)[1] or _LATEST
        version = qualifier
        if not qualifier.isdigit() and qualifier != _LATEST:
            aliases = self._alias_versions()
            if isinstance(aliases, Unread):
                return aliases
            if qualifier not in aliases:
                return None
            version = aliases[qualifier]
        if version == _LATEST:
            return _as(self._listed.function, arn)
        if self._listed.versions is None:
            return super().function(arn)
        found = self._listed.versions.get(version)
        return None if found is None else _as(found, arn)

    def _qualifiers(self, target: FunctionTarget) -> Iterator[str | Unread]:
        if self._may_have_aliases(target):
            aliases = self._alias_versions()
            if isinstance(aliases, Unread):
                yield aliases
            else:
                yield from aliases
        if self._listed.versions is None:
            yield from self._versions(target)
        else:
            yield from self._listed.versions

    def _may_have_aliases(self, target: FunctionTarget) -> bool:
        """Return whether the aliases are listed. One of $LATEST needs no published version.

        Whether a trigger names one is known when the triggers are read: then the policies are asked for again.
        """
        if self._selection.reads_all_aliases or self._listed.versions is None or self._listed.versions:
            return True
        return self._aliases is not None or self._parts.names_a_qualifier_of(target)

    def _alias_versions(self) -> dict[str, str] | Unread:
        """Return the version of each alias."""
        if self._aliases is None:
            target = self._listed.target

            def pages() -> dict[str, str]:
                listed = self._lambda.get_paginator("list_aliases").paginate(FunctionName=target.arn)
                return {alias["Name"]: alias["FunctionVersion"] for page in listed for alias in page["Aliases"]}

            reply = read("lambda:ListAliases", pages)
            self._aliases = {} if reply is None else reply
        return self._aliases

    def _resource_policy(self, arn: str, qualifier: str | Unread | None) -> ResourcePolicy | Unread | None:
        if isinstance(qualifier, Unread):
            return qualifier
        if qualifier not in self._policies:
            self._policies[qualifier] = super()._resource_policy(arn, qualifier)
        return self._policies[qualifier]


class KeptFunction(FunctionReader):
    """A function as it was read, for the snapshot of its execution role: it makes no call."""

    def __init__(self, client: LambdaClient, kept: FunctionParts, parts: SharedParts) -> None:
        super().__init__(client)
        self._kept = kept
        self._parts = parts

    def function(self, arn: str) -> Function | Unread | None:
        """Return a configuration that was read."""
        return self._kept.functions.get(arn)

    def invoke_configs(self, target: FunctionTarget) -> tuple[EventInvokeConfig, ...] | Unread:  # noqa: ARG002 - it is this function's
        """Return the destinations that were read."""
        return self._kept.invoke_configs or ()

    def mappings(self) -> Mapping[str, tuple[EventSourceMapping, ...]] | Unread:
        """Return the function's event source mappings."""
        found = self._parts.mappings.of(self._kept.target)
        return found if isinstance(found, Unread) else {self._kept.target.arn: found}


def _as(function: Function, arn: str) -> Function:
    """Return a configuration as GetFunctionConfiguration returns it for an alias or a qualifier."""
    return replace(function, arn=arn, configuration={**function.configuration, "FunctionArn": arn})


def _refers_to_url(policy: ResourcePolicy) -> bool:
    """Return whether a statement is about calls through a function URL, or may be."""
    return any(
        statement.match_action("lambda:invokefunctionurl")
        or any(condition.key in FUNCTION_URL_KEYS for condition in statement.conditions)
        for statement in policy.document.statements
    )
