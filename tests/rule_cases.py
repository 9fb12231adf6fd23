"""The cases of the rules, as they are read: `tests/cases/<ID>/<variant>.<fail|pass|unknown>.json`.

A case contains a state in the format of AWS's replies, and the expected verdicts:

- `policies`: GetPolicy replies, with the policy as an object and the `Qualifier` of the call;
- `mappings`: entries of ListEventSourceMappings; `functions`: the parts of GetFunctionConfiguration that rules read;
- `roles`: GetRole replies with the policy documents by name; without an `AssumeRolePolicyDocument`, Lambda is trusted;
  `DeniedByOrganization` are the actions and resources that IAM's policy simulator denies;
- `sources`: the state of event sources, secrets, destinations and log groups by ARN, with the names of `SourceState`;
  `source_policies`: their policies by ARN, null if there is none;
- `invoke_configs`: entries of ListFunctionEventInvokeConfigs; `role_users`: names of functions by the role's ARN;
- `denied_calls`: calls that AWS denied, with the names of `DeniedCall`;
- `trust`: the parameters `accounts` and `organizations`; `organization`: the account's own, as in DescribeOrganization;
- `function_urls`: entries of ListFunctionUrlConfigs; left out if they are not read;
- `inventories`: by AWS's name of the API, `sources` and `triggers` (`source_arns`, `source_account` and `description`
  are optional), and `unread` by source; `buckets`: whether buckets of other accounts exist;
- `Unread` in place of anything that could not be read, `Deleted` in place of what does not exist;
- `flagged_by`: a rule of another tool that flags what passes here; `peers` verifies it;
- `expected`: every verdict, in order. `function` is the part of the ARN after `function:`, by default `orders`;
  `reason` lists parts of the reason, `evidence` parts of the evidence, `severity` is by default the rule's.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from permission_guard.aws.readers.inventories.services import SERVICES
from permission_guard.iam import Policy, TrustSet, parse_policy
from permission_guard.model.arns import parse_function_arn
from permission_guard.model.state import (
    DeniedCall,
    EventInvokeConfig,
    EventSourceMapping,
    Function,
    FunctionUrl,
    Inventory,
    ResourcePolicy,
    Role,
    Snapshot,
    SourceState,
    Trigger,
    Unread,
)
from tests.fakes import ACCOUNT, FUNCTION_ARN, TARGET, TRUST_LAMBDA
from tests.paths import CASES

if TYPE_CHECKING:
    from pathlib import Path

RULE_CASES = sorted(CASES.glob("PG*/*.json"))
PRINCIPALS = {service.name: service.principal for service in SERVICES}
"""The service principal of an inventory's sources, by the name of the inventory."""

INVOKE_CASES = [path for path in RULE_CASES if path.parent.name.startswith("PG1")]


def kind_of(path: Path) -> str:
    """Return the outcome that the file name of a case declares."""
    return path.name.split(".")[-2]


def trust_of(case: dict[str, Any]) -> TrustSet:
    """Read the trusted accounts and organizations."""
    trust = case.get("trust", {})
    return TrustSet(frozenset(trust.get("accounts", ())), frozenset(trust.get("organizations", ())))


def snapshot_of(case: dict[str, Any]) -> Snapshot:
    """Build the state that a case describes."""
    mappings = case.get("mappings", [])
    functions = case.get("functions") or [
        {"FunctionArn": FUNCTION_ARN, "FunctionName": "orders", "Role": f"arn:aws:iam::{ACCOUNT}:role/orders-role"},
    ]
    versions = {reply["FunctionArn"]: function_of(reply) for reply in functions}
    return Snapshot(
        TARGET,
        function_of(case["function"]) if "function" in case else versions[FUNCTION_ARN],
        resource_policies=tuple(resource_policy_of(reply) for reply in case.get("policies", [])),
        function_urls=function_urls_of(case.get("function_urls")),
        own_organization=read_or_unread(case.get("organization")),
        inventories=tuple(inventory_of(name, entry) for name, entry in case.get("inventories", {}).items()),
        foreign_buckets={arn: read_or_unread(exists) for arn, exists in case.get("buckets", {}).items()},
        mappings=unread_of(mappings) if isinstance(mappings, dict) else tuple(map(mapping_of, mappings)),
        versions=versions,
        roles=dict(role_of(entry) for entry in case.get("roles", [])),
        source_policies={
            arn: document_of(arn, document) if document else None
            for arn, document in case.get("source_policies", {}).items()
        },
        sources={
            arn: unread_of(state) if "Unread" in state else SourceState(**state)
            for arn, state in case.get("sources", {}).items()
        },
        invoke_configs=invoke_configs_of(case.get("invoke_configs", [])),
        role_users={
            arn: unread_of(names) if isinstance(names, dict) else tuple(replace(TARGET, name=name) for name in names)
            for arn, names in case.get("role_users", {}).items()
        },
        denied_calls=tuple(DeniedCall(**entry) for entry in case.get("denied_calls", ())),
    )


def unread_of(entry: dict[str, Any]) -> Unread:
    """Read `Unread`."""
    unread = entry["Unread"]
    return Unread(unread["Action"], unread["Code"], unread["Message"], denied=unread["Denied"])


def read_or_unread(entry: Any) -> Any:
    """Read a value, or `Unread` in its place."""
    return unread_of(entry) if isinstance(entry, dict) else entry


def function_urls_of(entries: Any) -> tuple[FunctionUrl, ...] | Unread | None:
    """Read the entries of ListFunctionUrlConfigs."""
    if entries is None or isinstance(entries, dict):
        return unread_of(entries) if entries else None
    return tuple(
        FunctionUrl(
            parse_function_arn(entry["FunctionArn"])[1],
            entry["FunctionUrl"],
            entry["AuthType"],
            entry.get("CreationTime", ""),
        )
        for entry in entries
    )


def invoke_configs_of(entries: Any) -> tuple[EventInvokeConfig, ...] | Unread:
    """Read the entries of ListFunctionEventInvokeConfigs."""
    if isinstance(entries, dict):
        return unread_of(entries)

    def destination(entry: dict[str, Any], event: str) -> str:
        return str(entry.get("DestinationConfig", {}).get(event, {}).get("Destination", ""))

    return tuple(
        EventInvokeConfig(
            entry["FunctionArn"].removesuffix(":$LATEST"),
            destination(entry, "OnSuccess"),
            destination(entry, "OnFailure"),
        )
        for entry in entries
    )


def inventory_of(name: str, entry: dict[str, Any]) -> Inventory:
    """Read an inventory."""
    triggers = tuple(trigger_of(trigger, PRINCIPALS[name]) for trigger in entry.get("triggers", ()))
    sources = entry.get("sources", [])
    return Inventory(
        name=name,
        principal=PRINCIPALS[name],
        sources=unread_of(sources) if isinstance(sources, dict) else frozenset(sources),
        triggers=triggers,
        unread={source: unread_of(reason) for source, reason in entry.get("unread", {}).items()},
    )


def trigger_of(entry: dict[str, Any], principal: str) -> Trigger:
    """Read a trigger that is configured to invoke a function."""
    return Trigger(
        principal=principal,
        source=entry["source"],
        source_arns=tuple(entry.get("source_arns", [entry["source"]])),
        source_account=entry.get("source_account", ACCOUNT),
        function_arn=entry["function_arn"],
        description=entry.get("description", f"the source {entry['source'].rpartition(':')[2]}"),
    )


def function_of(reply: dict[str, Any]) -> Function | Unread | None:
    """Read a GetFunctionConfiguration reply."""
    if reply.get("Deleted"):
        return None
    if "Unread" in reply:
        return unread_of(reply)
    return Function(reply["FunctionArn"], reply["FunctionName"], reply["Role"], reply)


def resource_policy_of(reply: dict[str, Any]) -> ResourcePolicy | Unread:
    """Read a GetPolicy reply."""
    if "Unread" in reply:
        return unread_of(reply)
    qualifier = reply.get("Qualifier")
    text = reply["Policy"] if isinstance(reply["Policy"], str) else json.dumps(reply["Policy"])
    arn = f"{FUNCTION_ARN}:{qualifier}" if qualifier else FUNCTION_ARN
    return ResourcePolicy(arn, qualifier, parse_policy(text, name="resource-based policy"))


def mapping_of(entry: dict[str, Any]) -> EventSourceMapping:
    """Read an entry of ListEventSourceMappings."""
    return EventSourceMapping(
        uuid=entry["UUID"],
        arn="",
        function_arn=entry["FunctionArn"],
        event_source_arn=entry.get("EventSourceArn"),
        state=entry["State"],
        state_transition_reason=entry["StateTransitionReason"],
        last_processing_result=entry.get("LastProcessingResult", ""),
        configuration=entry,
    )


def role_of(entry: dict[str, Any]) -> tuple[str, Role | Unread | None]:
    """Read a GetRole reply with its policies."""
    reply = entry["Role"]
    name, path = reply["RoleName"], reply.get("Path", "/")
    arn = f"arn:aws:iam::{ACCOUNT}:role{path}{name}"
    if entry.get("Deleted"):
        return arn, None
    if "Unread" in entry:
        return arn, unread_of(entry)
    boundary = entry.get("PermissionsBoundary")
    return arn, Role(
        arn=arn,
        name=name,
        path=path,
        tags={tag["Key"]: tag["Value"] for tag in reply.get("Tags", [])},
        trust_policy=parse_policy(reply.get("AssumeRolePolicyDocument", TRUST_LAMBDA), name="trust policy"),
        attached={policy: document_of(policy, text) for policy, text in entry.get("AttachedPolicies", {}).items()},
        inline={policy: document_of(policy, text) for policy, text in entry.get("RolePolicies", {}).items()},
        boundary_arn=boundary["Arn"] if boundary else None,
        boundary=document_of(boundary["Arn"], boundary["Document"]) if boundary else None,
        denied_by_organization=denials_of(entry.get("DeniedByOrganization", ())),
    )


def denials_of(entries: Any) -> frozenset[tuple[str, str]] | Unread:
    """Read the actions and resources that the organization denies."""
    if isinstance(entries, dict):
        return unread_of(entries)
    return frozenset((action, resource) for action, resource in entries)


def document_of(name: str, document: dict[str, Any]) -> Policy | Unread:
    """Read a policy document."""
    return unread_of(document) if "Unread" in document else parse_policy(document, name=name)
