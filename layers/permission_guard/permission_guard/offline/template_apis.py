"""Read the functions that a template's APIs invoke: methods, routes, authorizers and definitions in OpenAPI."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from permission_guard.invokers.apigateway import (
    INVOKER,
    STAGE_VARIABLE,
    disputed_for,
    invoked_function,
    sent_for,
    split_route,
)
from permission_guard.offline.configured import Configured, TemplateTrigger
from permission_guard.offline.unresolved import begins_with, fill, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from permission_guard.model.targets import JSON
    from permission_guard.offline.intrinsics import Resolver

_REST, _HTTP = "apigateway", "apigatewayv2"
_STAGES: Final = {
    _REST: (
        ("AWS::ApiGateway::Stage", ("Variables",)),
        ("AWS::ApiGateway::Deployment", ("StageDescription", "Variables")),
    ),
    _HTTP: (("AWS::ApiGatewayV2::Stage", ("StageVariables",)),),
}
"""The types of resources that deploy an API to a stage, and where the variables of the stage are."""

_INTEGRATIONS: Final = frozenset({"AWS", "AWS_PROXY"})
_ANY: Final = "x-amazon-apigateway-any-method"
_INTEGRATION: Final = "x-amazon-apigateway-integration"
_AUTHORIZER: Final = "x-amazon-apigateway-authorizer"
_METHODS: Final = frozenset({"get", "post", "put", "patch", "delete", "head", "options", _ANY})
_DEEPEST_PATH: Final = 30


class _Api:
    """An API in one scenario, with its stages.

    One that the file defines without a stage is not deployed by it. The stages of one outside the file are unknown.
    """

    def __init__(self, one: Configured, kind: str, api_id: str) -> None:
        self._one = one
        self._kind = kind
        self._arn = one.own_arn("execute-api", api_id)
        self._name = f"the {'REST' if kind == _REST else 'HTTP or WebSocket'} API {api_id}"
        self._stages = dict(_stages(one.resolver, kind, api_id))
        if not self._stages and not _is_defined(one.resolver, kind, api_id):
            self._stages = {one.resolver.unresolved(f"the stage of {_plain(api_id)}"): {}}

    def default(self, function: str, key: str) -> Iterator[TemplateTrigger]:
        """Yield what the route invokes that an HTTP API creates for its target, in a stage of its own."""
        self._stages = {"$default": {}}
        method, path = split_route(key)
        yield from self.route(method, path, function)

    def route(self, method: str, path: str, uri: JSON, kind: str = "AWS_PROXY") -> Iterator[TemplateTrigger]:
        """Yield what a method or a route invokes; a route of a WebSocket API has no path.

        An integration of the type `AWS_PROXY` always invokes a function.
        """
        certain = kind == "AWS_PROXY"
        is_http = self._kind == _HTTP
        sent = sent_for(method, path) if path else (method,)
        disputed = disputed_for(method, path, is_http=is_http) if path else ()
        what = f"the {'route' if is_http else 'method'} {method} {path}".rstrip()
        if not self._stages and self._functions(uri, {"": {}}):
            self._one.skip(f"{what}: the file has no stage of {self._name}")
        for function, stages in self._functions(uri, self._stages, certain=certain).items():
            yield TemplateTrigger(
                self._kind,
                INVOKER,
                f"{self._arn}/*/{sent[-1]}",
                function,
                f"{what} of {self._name}",
                tuple(f"{self._arn}/{stage}/{each}" for stage in stages for each in sent),
                tuple(f"{self._arn}/{stage}/{each}" for stage in stages for each in disputed),
            )

    def authorizer(self, name: str, uri: JSON) -> Iterator[TemplateTrigger]:
        """Yield what an authorizer invokes; its ARN has no stage."""
        stages = self._stages or {"": {}}  # an authorizer can be tested without a stage
        for function in self._functions(uri, stages, certain=True):
            arn = f"{self._arn}/authorizers/{name}"
            yield TemplateTrigger(self._kind, INVOKER, arn, function, f"the authorizer {name} of {self._name}")

    def defined(self, definition: JSON) -> Iterator[TemplateTrigger]:
        """Yield what a definition in OpenAPI invokes."""
        for path, methods in _objects(definition, "paths"):
            for method, operation in methods.items():
                integration = operation.get(_INTEGRATION) if isinstance(operation, dict) else None
                if method.lower() in _METHODS and isinstance(integration, dict):
                    yield from self._integrated(method, path, integration)
        schemes = definition.get("components") if isinstance(definition, dict) else None
        for section in (*_objects(definition, "securityDefinitions"), *_objects(schemes, "securitySchemes")):
            authorizer = section[1].get(_AUTHORIZER)
            if isinstance(authorizer, dict) and not authorizer.get("authorizerCredentials"):
                # The definition does not say which id the authorizer gets.
                yield from self.authorizer("*", authorizer.get("authorizerUri"))

    def _integrated(self, method: str, path: str, integration: Mapping[str, Any]) -> Iterator[TemplateTrigger]:
        kind = text(integration.get("type", "")).upper()
        if kind in _INTEGRATIONS and not integration.get("credentials"):
            name = "ANY" if method == _ANY else method.upper()
            is_default = path.strip("/") == "$default"
            yield from self.route(
                "$default" if is_default else name, "" if is_default else path, integration.get("uri"), kind
            )

    def _functions(
        self, uri: JSON, stages: Mapping[str, Mapping[str, str]], *, certain: bool = False
    ) -> dict[str, list[str]]:
        """Return the functions that a URI names, each with the stages in which it does.

        `certain`: what the URI names is a function, even if it cannot be resolved.
        """
        found: dict[str, list[str]] = {}
        for stage, variables in stages.items():
            named = invoked_function(uri, variables) if isinstance(uri, str) else ""
            if STAGE_VARIABLE.search(named):
                self._one.skip(f"{named}: no such variable in the stage {stage}")
                continue
            is_certain = (certain or named != uri) and begins_with(named) is not None
            function = named if is_certain else self._one.function(named)
            if function:
                found.setdefault(function, []).append(stage)
        return found


def methods(one: Configured) -> Iterator[TemplateTrigger]:
    """Yield what a method of a REST API invokes."""
    path = _path(one)
    integration = one.part("Integration")
    if not isinstance(integration, dict) or integration.get("Credentials"):
        return
    kind = text(integration.get("Type", ""))
    if kind in _INTEGRATIONS:
        api = _Api(one, _REST, one.text("RestApiId"))
        yield from api.route(one.text("HttpMethod"), path, integration.get("Uri"), kind)


def authorizers(one: Configured) -> Iterator[TemplateTrigger]:
    """Yield what an authorizer of a REST API invokes."""
    if not one.part("AuthorizerCredentials"):
        api = _Api(one, _REST, one.text("RestApiId"))
        yield from api.authorizer(one.logical_id, one.part("AuthorizerUri"))


def authorizers_v2(one: Configured) -> Iterator[TemplateTrigger]:
    """Yield what an authorizer of an HTTP or WebSocket API invokes."""
    if not one.part("AuthorizerCredentialsArn"):
        yield from _Api(one, _HTTP, one.text("ApiId")).authorizer(one.logical_id, one.part("AuthorizerUri"))


def rest_apis(one: Configured) -> Iterator[TemplateTrigger]:
    """Yield what the definition of a REST API invokes."""
    if one.part("BodyS3Location"):
        one.skip("its definition in S3")
    yield from _Api(one, _REST, one.reference).defined(one.part("Body"))


def apis(one: Configured) -> Iterator[TemplateTrigger]:
    """Yield what the definition of an HTTP API invokes."""
    if one.part("BodyS3Location"):
        one.skip("its definition in S3")
    yield from _Api(one, _HTTP, one.reference).defined(one.part("Body"))
    target = None if one.part("CredentialsArn") else one.function(one.part("Target"))
    if target:
        yield from _Api(one, _HTTP, one.reference).default(target, one.text("RouteKey") or "$default")


def routes(one: Configured) -> Iterator[TemplateTrigger]:
    """Yield what a route of an HTTP or WebSocket API invokes."""
    target = one.text("Target")
    by_target = {
        f"integrations/{Configured(one.resolver, logical_id).reference}": properties
        for logical_id, properties in _created(one.resolver, "AWS::ApiGatewayV2::Integration")
    }
    if target and target not in by_target:
        one.skip(target)
    properties = by_target.get(target, {})
    kind = text(properties.get("IntegrationType", ""))
    if kind in _INTEGRATIONS and not properties.get("CredentialsArn"):
        method, path = split_route(one.text("RouteKey"))
        yield from _Api(one, _HTTP, one.text("ApiId")).route(method, path, properties.get("IntegrationUri"), kind)


def _is_defined(resolver: Resolver, kind: str, api_id: str) -> bool:
    """Return whether the file defines an API."""
    of = "AWS::ApiGateway::RestApi" if kind == _REST else "AWS::ApiGatewayV2::Api"
    return any(Configured(resolver, logical_id).reference == api_id for logical_id, _ in _created(resolver, of))


def _path(one: Configured) -> str:
    """Return the path of a method. What is not in the file is an unresolved value."""
    parts: list[str] = []
    resource = one.text("ResourceId")
    by_id = {
        Configured(one.resolver, logical_id).reference: properties
        for logical_id, properties in _created(one.resolver, "AWS::ApiGateway::Resource")
    }
    roots = {
        text(one.resolver.value({"Fn::GetAtt": [logical_id, "RootResourceId"]}))
        for logical_id, _ in _created(one.resolver, "AWS::ApiGateway::RestApi")
    }
    while resource not in roots:
        properties = by_id.get(resource)
        if properties is None or len(parts) > _DEEPEST_PATH:
            return f"/{one.resolver.unresolved(f'the path of {_plain(resource)}')}{'/'.join(reversed(parts))}"
        parts.append(text(properties.get("PathPart", "")))
        resource = text(properties.get("ParentId", ""))
    return "/" + "/".join(reversed(parts))


def _plain(value: str) -> str:
    """Return a value for the name of an unresolved value: braces would make it a parameter of the path."""
    return re.sub(r"[${}]", "", fill(value, {}))


def _stages(resolver: Resolver, kind: str, api_id: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the name and the variables of each stage of an API."""
    for of, path in _STAGES[kind]:
        for _, properties in _created(resolver, of):
            name = properties.get("StageName")
            if name and text(properties.get("RestApiId" if kind == _REST else "ApiId", "")) == api_id:
                variables: JSON = properties
                for key in path:
                    variables = variables.get(key) if isinstance(variables, dict) else None
                items = variables.items() if isinstance(variables, dict) else ()
                yield text(name), {key: text(value) for key, value in items}


def _created(resolver: Resolver, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for logical_id, resource in resolver.resources.items():
        if resolver.type_of(logical_id) == kind:
            condition = resource.get("Condition")
            if not isinstance(condition, str) or resolver.condition(condition) is not False:
                yield logical_id, resolver.properties(logical_id)


def _objects(value: JSON, name: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the names and values of the objects in an object."""
    found = value.get(name) if isinstance(value, dict) else None
    items = found.items() if isinstance(found, dict) else ()
    return [(str(key), item) for key, item in items if isinstance(item, dict)]
