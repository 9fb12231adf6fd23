"""AppConfig's Lambda validators, and what its data plane authorizes.

MiniStack authorizes no call of the data plane, and deploys without asking a validator. AWS asks at the start of a
deployment and in ValidateConfiguration, as the service, so that the function's policy must allow it. AWS does not
document what it sends as `aws:SourceArn`; here it is the configuration profile.
https://docs.aws.amazon.com/appconfig/latest/userguide/appconfig-creating-configuration-and-profile-validators.html
"""

from __future__ import annotations

import base64
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ministack.core.responses import get_account_id, get_region

from sandbox.server import api, inside
from sandbox.server.authorization import allows_service
from sandbox.server.invocations import INVOKE
from sandbox.server.reply import ApiError, Response, json_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Item = Mapping[str, Any]

SERVICE = "appconfig.amazonaws.com"
DATA_PLANE = frozenset({"/configurationsessions", "/configuration"})
"""The paths of StartConfigurationSession and GetLatestConfiguration."""
_INVALID = "InvalidConfiguration"


def wrap_handle_request(inner: Callable[..., Any]) -> Callable[..., Any]:
    """Validate a configuration before its deployment, and handle ValidateConfiguration, which MiniStack lacks."""

    async def handle_request(
        method: str, path: str, headers: dict[str, str], body_bytes: bytes, query_params: Mapping[str, list[str]]
    ) -> Response:
        call = api.parse("appconfig", api.Request(method, path, query_params, headers, body_bytes))
        if call is not None and call.operation in {"StartDeployment", "ValidateConfiguration"}:
            try:
                await _validate(call.params)
            except ApiError as error:
                return error.response()
            except _InvalidError as error:
                return error.response()
            if call.operation == "ValidateConfiguration":
                return HTTPStatus.NO_CONTENT, {}, b""
        response: Response = await inner(method, path, headers, body_bytes, query_params)
        return response

    return handle_request


class _InvalidError(Exception):
    """A validator refused a configuration, or could not be asked."""

    def response(self) -> Response:
        """Return the error in AWS's shape."""
        detail = {"Type": "LAMBDA", "Reason": str(self)}
        details = {"InvalidConfiguration": [detail]}
        return json_error("BadRequestException", str(self), Reason=_INVALID, Details=details)


async def _validate(params: Item) -> None:
    """Ask every validator of a configuration profile. Other errors of the call are left to MiniStack."""
    application, profile = params.get("ApplicationId"), params.get("ConfigurationProfileId")
    version = str(params.get("ConfigurationVersion"))
    validators = (inside.configuration_profiles.get(f"{application}/{profile}") or {}).get("Validators") or []
    stored = inside.configuration_versions.get(f"{application}/{profile}/{version}")
    if stored is None:
        if validators:
            raise ApiError("ResourceNotFoundException", f"Configuration version {version} not found", 404)
        return
    content = stored["Content"]
    event = {
        "applicationId": application,
        "configurationProfileId": profile,
        "configurationVersion": version,
        "content": base64.b64encode(content if isinstance(content, bytes) else content.encode()).decode(),
        "uri": "hosted",
    }
    source = f"{_arn(f'application/{application}')}/configurationprofile/{profile}"
    for validator in validators:
        if validator.get("Type") == "LAMBDA":
            await _ask(str(validator.get("Content", "")), event, source)


async def _ask(function: str, event: Item, source_arn: str) -> None:
    """Invoke a validator as the service; raise its reason if it fails."""
    name, qualifier = inside.resolve_function(function)
    record = inside.functions.get(name)
    if record is None or not _may_invoke(record.get("policy"), function, source_arn):
        raise _InvalidError(f"AWS AppConfig is not authorized to invoke the validator {function}.")
    status, headers, body = await inside.invoke(name, dict(event), {}, qualifier)
    if status != HTTPStatus.OK:
        raise _InvalidError(f"The validator {function} could not be invoked: {body.decode()}")
    if "X-Amz-Function-Error" in headers:
        raise _InvalidError(str(json.loads(body).get("errorMessage", "")))


def _may_invoke(policy: Any, function: str, source_arn: str) -> bool:
    """Return whether the function's policy lets AppConfig invoke it for a configuration profile of this account."""
    keys = {"aws:sourcearn": source_arn, "aws:sourceaccount": get_account_id()}
    return allows_service(policy, SERVICE, INVOKE, function, keys)


def wrap_iam_action(inner: Callable[..., str | None]) -> Callable[..., str | None]:
    """Authorize the data plane, whose calls are signed for `appconfig`, too."""

    def extract_iam_action(service: str, method: str, path: str, *rest: Any) -> str | None:
        is_data_plane = service == "appconfig" and path in DATA_PLANE
        return inner("appconfigdata" if is_data_plane else service, method, path, *rest)

    return extract_iam_action


def configuration_arn(body: bytes, query: Mapping[str, list[str]]) -> str:
    """Return the resource that a call of the data plane is authorized on: a session's, or the one that is asked for.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsappconfig.html
    """
    session = inside.configuration_sessions.get((query.get("configuration_token") or [""])[0])
    try:
        asked = session or json.loads(body or b"{}")
    except ValueError:  # not JSON: the service rejects it
        return "*"
    names = ("ApplicationIdentifier", "EnvironmentIdentifier", "ConfigurationProfileIdentifier")
    application, environment, profile = (asked.get(name, "*") for name in names)
    return _arn(f"application/{application}/environment/{environment}/configuration/{profile}")


def _arn(resource: str) -> str:
    return f"arn:aws:appconfig:{get_region()}:{get_account_id()}:{resource}"
