"""Read functions: their configuration, resource-based policies, event source mappings and destinations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from permission_guard.aws.calls import dropped_members, read
from permission_guard.iam import parse_policy
from permission_guard.model.arns import parse_function_arn, role_target
from permission_guard.model.state import (
    EventInvokeConfig,
    EventSourceMapping,
    Function,
    FunctionUrl,
    ResourcePolicy,
    Unread,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import (
        EventSourceMappingConfigurationResponseTypeDef,
        EventSourceMappingConfigurationTypeDef,
        FunctionEventInvokeConfigTypeDef,
    )

    from permission_guard.model.targets import FunctionTarget, RoleTarget


MEMBERS_OF_FEATURES = ("DurableConfig", "FileSystemConfigs", "Layers")
"""The members of a configuration that enable the features in `needs/features/`."""


class FunctionReader:
    """What Lambda itself knows of functions."""

    def __init__(self, client: LambdaClient) -> None:
        self._lambda = client

    def function(self, arn: str) -> Function | Unread | None:
        """Read one function's or version's configuration; None when it does not exist."""
        reply = read(
            "lambda:GetFunctionConfiguration", lambda: self._lambda.get_function_configuration(FunctionName=arn)
        )
        if reply is None or isinstance(reply, Unread):
            return reply
        return function_of(arn, reply, dropped_members(self._lambda, "GetFunctionConfiguration", MEMBERS_OF_FEATURES))

    def resource_policies(self, target: FunctionTarget) -> tuple[ResourcePolicy | Unread, ...]:
        """Read the function's own policy and those of its aliases and versions: each qualifier has its own."""
        found = [self._resource_policy(target.arn, qualifier) for qualifier in (None, *self._qualifiers(target))]
        return tuple(policy for policy in found if policy is not None)

    def mappings(self) -> Mapping[str, tuple[EventSourceMapping, ...]] | Unread:
        """Read all event source mappings of the account and region, by unqualified function ARN.

        AWS does not say whether a list for one function has the mappings of its aliases and versions; this one has.
        """

        def pages() -> list[EventSourceMappingConfigurationTypeDef]:
            paginator = self._lambda.get_paginator("list_event_source_mappings")
            return [mapping for page in paginator.paginate() for mapping in page["EventSourceMappings"]]

        reply = read("lambda:ListEventSourceMappings", pages)
        if reply is None:
            return Unread("lambda:ListEventSourceMappings", "ResourceNotFoundException", "no list", denied=False)
        if isinstance(reply, Unread):
            return reply
        found: dict[str, tuple[EventSourceMapping, ...]] = {}
        for mapping in map(mapping_of, reply):
            arn = parse_function_arn(mapping.function_arn)[0].arn
            found[arn] = (*found.get(arn, ()), mapping)
        return found

    def invoke_configs(self, target: FunctionTarget) -> tuple[EventInvokeConfig, ...] | Unread:
        """Read where the function, its versions and its aliases send the results of asynchronous invocations."""

        def pages() -> tuple[EventInvokeConfig, ...]:
            paginator = self._lambda.get_paginator("list_function_event_invoke_configs")
            return tuple(
                _invoke_config(config)
                for page in paginator.paginate(FunctionName=target.arn)
                for config in page["FunctionEventInvokeConfigs"]
            )

        reply = read("lambda:ListFunctionEventInvokeConfigs", pages)
        return () if reply is None else reply

    def tags(self, target: FunctionTarget) -> Mapping[str, str] | Unread:
        """Read the function's tags."""
        reply = read("lambda:ListTags", lambda: self._lambda.list_tags(Resource=target.arn))
        if reply is None:
            return Unread("lambda:ListTags", "ResourceNotFoundException", f"{target.arn} was deleted", denied=False)
        return reply if isinstance(reply, Unread) else reply.get("Tags", {})

    def function_urls(self, target: FunctionTarget) -> tuple[FunctionUrl, ...] | Unread:
        """Read the function's URLs: its own and those of its aliases."""

        def pages() -> tuple[FunctionUrl, ...]:
            paginator = self._lambda.get_paginator("list_function_url_configs")
            configs = (
                config for page in paginator.paginate(FunctionName=target.arn) for config in page["FunctionUrlConfigs"]
            )
            return tuple(
                FunctionUrl(
                    parse_function_arn(config["FunctionArn"])[1],
                    config["FunctionUrl"],
                    config["AuthType"],
                    config.get("CreationTime", ""),
                )
                for config in configs
            )

        reply = read("lambda:ListFunctionUrlConfigs", pages)
        return () if reply is None else reply

    def roles_of_functions(self) -> Iterator[tuple[FunctionTarget, RoleTarget]]:
        """List every function of the account and region with the role that it runs with; a refused call raises."""
        for page in self._lambda.get_paginator("list_functions").paginate():
            for configuration in page["Functions"]:
                yield parse_function_arn(configuration["FunctionArn"])[0], role_target(configuration["Role"])

    def _qualifiers(self, target: FunctionTarget) -> Iterator[str | Unread]:
        def aliases() -> list[str]:
            pages = self._lambda.get_paginator("list_aliases").paginate(FunctionName=target.arn)
            return [alias["Name"] for page in pages for alias in page["Aliases"]]

        reply = read("lambda:ListAliases", aliases)
        versions = list(self._versions(target))
        if isinstance(reply, Unread):
            yield reply
        elif reply is not None:
            yield from reply
        yield from versions

    def _versions(self, target: FunctionTarget) -> Iterator[str | Unread]:
        """Yield the published versions."""

        def versions() -> list[str]:
            pages = self._lambda.get_paginator("list_versions_by_function").paginate(FunctionName=target.arn)
            return [version["Version"] for page in pages for version in page["Versions"]]

        reply = read("lambda:ListVersionsByFunction", versions)
        if isinstance(reply, Unread):
            yield reply
        elif reply is not None:
            yield from (version for version in reply if version != "$LATEST")

    def _resource_policy(self, arn: str, qualifier: str | Unread | None) -> ResourcePolicy | Unread | None:
        if isinstance(qualifier, Unread):
            return qualifier

        def call() -> Any:
            if qualifier is None:
                return self._lambda.get_policy(FunctionName=arn)
            return self._lambda.get_policy(FunctionName=arn, Qualifier=qualifier)

        reply = read("lambda:GetPolicy", call)
        if reply is None or isinstance(reply, Unread):
            return reply
        return ResourcePolicy(
            resource_arn=arn if qualifier is None else f"{arn}:{qualifier}",
            qualifier=qualifier,
            document=parse_policy(reply["Policy"], name="resource-based policy"),
        )


def function_of(arn: str, reply: Mapping[str, Any], dropped: tuple[str, ...]) -> Function:
    """Return a function as Lambda's replies have it. `dropped` are the members that the SDK drops from them."""
    # The values of environment variables may be secrets: they go no further than this.
    configuration = {key: value for key, value in reply.items() if key not in ("Environment", "ResponseMetadata")}
    return Function(arn, reply["FunctionName"], reply["Role"], configuration, dropped)


def _invoke_config(reply: FunctionEventInvokeConfigTypeDef) -> EventInvokeConfig:
    destinations = reply.get("DestinationConfig", {})
    return EventInvokeConfig(
        reply["FunctionArn"].removesuffix(":$LATEST"),
        destinations.get("OnSuccess", {}).get("Destination", ""),
        destinations.get("OnFailure", {}).get("Destination", ""),
    )


def mapping_of(
    reply: EventSourceMappingConfigurationTypeDef | EventSourceMappingConfigurationResponseTypeDef,
) -> EventSourceMapping:
    """Return an event source mapping as Lambda's replies have it."""
    return EventSourceMapping(
        uuid=reply["UUID"],
        arn=reply.get("EventSourceMappingArn", ""),
        function_arn=reply["FunctionArn"],
        event_source_arn=reply.get("EventSourceArn"),
        state=reply.get("State", ""),
        state_transition_reason=reply.get("StateTransitionReason", ""),
        last_processing_result=reply.get("LastProcessingResult", ""),
        configuration=dict(reply),
    )
