"""An account in memory, on which pasted AWS CLI commands act: it accepts what AWS accepts and refuses what AWS refuses.

It starts in the state of a rule's case. Commands that only read change nothing; a command that it does not know is an
error. It has no code in common with what writes the commands.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import uuid
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from permission_guard.offline.managed_policies import managed_policy
from tests.fakes import TRUST_LAMBDA

if TYPE_CHECKING:
    from collections.abc import Iterator

Options = dict[str, str]
_STATEMENT_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,100}")
_SOURCE_ARN: Final = re.compile(
    r"arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9-])+:([a-z]{2}(-gov)?(-[a-z]+)+-\d{1})?:(\d{12})?:(.*)"
)
_PRINCIPAL: Final = re.compile(
    r"\*|\d{12}|arn:aws[a-z-]*:(iam|sts)::\d{12}:\S+|[a-z0-9.-]+\.(amazonaws\.com(\.cn)?|amazon\.com)"
)
_READS: Final = ("get-", "list-", "lookup-", "describe-", "simulate-", "generate-", "wait")
_FAILED: Final = ("State", "StateReason", "StateReasonCode", "LastUpdateStatus", "LastUpdateStatusReasonCode")
_SEPARATORS: Final = frozenset("&;|()\n")
_JOB: Final = re.compile(r"^(\w+)=\$\((.*?)\)", re.MULTILINE)
_REVISION: Final = "00000000-0000-4000-8000-000000000000"
_POLICY_BYTES: Final = 20_480


POLICY_OPERATIONS: Final = frozenset({"GetResourcePolicy", "PutResourcePolicy", "DeleteResourcePolicy"})


class RefusedError(Exception):
    """AWS would refuse the call."""


class Account:
    """The state of a case, in the format of AWS's replies, which commands change."""

    def __init__(self, case: dict[str, Any], region: str, number: str) -> None:
        self.case = deepcopy(case)
        self.region, self.number = region, number
        self.calls: list[list[str]] = []
        self.own_policies: dict[str, Any] = {}
        for entry in self.case.get("roles", []):
            self.own_policies |= entry.get("AttachedPolicies", {})
        self.files: dict[str, str] = {}
        for reply in self.case.get("policies", []):
            if "Policy" in reply:
                reply.setdefault("RevisionId", _REVISION)

    # ── Shell ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def paste(self, text: str) -> None:
        """Run what a person pastes into a shell. RefusedError at the first command that AWS would refuse."""
        text = _JOB.sub(lambda match: match[2], text).replace('"$job"', "job")
        for words in commands_of(text):
            if words[0] == "python3":
                self._python(words)
            elif words[0] == "aws" and words[-2:-1] == [">"]:
                self.files[words[-1]] = str(self.call(words[:-2]))
            elif words[0] == "aws":
                self.call(words)
            else:
                assert words[0] == "sleep", words

    def _python(self, words: list[str]) -> None:
        assert words[1:3] == ["-I", "-c"]

        def run(command: list[str], **options: Any) -> SimpleNamespace:
            if command[1] == "lambda-policy":  # the model of the calls that an older AWS CLI does not know
                described = Path(options["env"]["AWS_DATA_PATH"]) / "lambda-policy" / "2026-07-09" / "service-2.json"
                assert json.loads(described.read_text())["operations"].keys() == POLICY_OPERATIONS
                command = ["aws", "lambda", *command[2:]]
            return SimpleNamespace(returncode=0, stdout=json.dumps(self.call(command)).encode(), stderr=b"")

        with patch.object(subprocess, "run", run), patch.object(sys, "argv", ["-c", *words[4:]]):
            exec(compile(words[3], "pasted", "exec"), {})  # noqa: S102 - the remedy under test

    def call(self, words: list[str]) -> Any:
        """Call AWS as `aws SERVICE OPERATION --name value …`, and return the reply."""
        self.calls.append(words)
        service, operation = words[1:3]
        options = options_of(words[4:] if operation == "wait" else words[3:])
        assert ">" not in words
        _require(options.get("region") == self.region, f"region {options.get('region')} of {self.region}")
        method = getattr(self, f"_{service}_{operation}".replace("-", "_"), None)
        if method is not None:
            return method(options)
        if operation.startswith(_READS):
            return {}
        raise RefusedError(f"unknown: {service} {operation}")

    # ── Lambda: resource-based policies ─────────────────────────────────────────────────────────────────────────────

    def _policy(self, options: Options) -> dict[str, Any]:
        arn = options.get("resource_arn", "")
        qualifier = arn.split(":")[7] if arn.count(":") > 6 else options.get("qualifier")
        for reply in self.case.setdefault("policies", []):
            if reply.get("Qualifier") == qualifier and "Policy" in reply:
                reply["Policy"] = document_of(reply["Policy"])
                return dict_of(reply)
        reply = {"Policy": {"Version": "2012-10-17", "Id": "default", "Statement": []}, "RevisionId": _REVISION}
        if qualifier:
            reply["Qualifier"] = qualifier
        self.case["policies"].append(reply)
        return reply

    def _lambda_add_permission(self, options: Options) -> dict[str, Any]:
        policy, name = self._policy(options)["Policy"], options["statement_id"]
        statements = _listed(policy, "Statement")
        _require(_STATEMENT_ID.fullmatch(name), f"statement id {name}")
        _require(all(each.get("Sid") != name for each in statements), f"{name} exists")
        _require(_PRINCIPAL.fullmatch(options["principal"]), f"principal {options['principal']}")
        for option, (_, _, form) in _CONDITIONS.items():
            _require(option not in options or re.fullmatch(form, options[option]), f"{option} {options.get(option)}")
        qualifier = f":{options['qualifier']}" if "qualifier" in options else ""
        arn = f"arn:aws:lambda:{self.region}:{self.number}:function:{options['function_name']}{qualifier}"
        self._write(options, [*statements, {"Sid": name, **statement_of(options, arn)}])
        return {}

    def _lambda_remove_permission(self, options: Options) -> dict[str, Any]:
        statements = _listed(self._policy(options)["Policy"], "Statement")
        left = [each for each in statements if each.get("Sid") != options["statement_id"]]
        _require(len(left) < len(statements), f"no statement {options['statement_id']}")
        self._write(options, left)
        return {}

    def _lambda_get_resource_policy(self, options: Options) -> dict[str, Any]:
        reply = self._policy(options)
        return {"Policy": json.dumps(reply["Policy"]), "RevisionId": reply["RevisionId"]}

    def _lambda_get_policy(self, options: Options) -> Any:
        reply = self._lambda_get_resource_policy(options)
        _require(json.loads(reply["Policy"])["Statement"], "no policy")
        return reply["Policy"] if (options.get("query"), options.get("output")) == ("Policy", "text") else reply

    def _lambda_put_resource_policy(self, options: Options) -> dict[str, Any]:
        self._expect_revision(options)
        policy = json.loads(self._content(options["policy"]))
        _require(policy["Statement"], "an empty policy")
        self._policy(options)["Policy"] = policy
        self._write(options, _listed(policy, "Statement"))
        return {}

    def _lambda_delete_resource_policy(self, options: Options) -> dict[str, Any]:
        self._expect_revision(options)
        self._write(options, [])
        return {}

    def _expect_revision(self, options: Options) -> None:
        current = self._policy(options)["RevisionId"]
        _require(options.get("revision_id", current) == current, "the revision is not the current one")

    def _content(self, value: str) -> str:
        """Return a value of an option, which can be in a file."""
        name = value.removeprefix("file://")
        _require(name == value or name in self.files, f"no file {name}")
        return value if name == value else self.files[name]

    def _write(self, options: Options, statements: list[Any]) -> None:
        reply = self._policy(options)
        names = [each["Sid"] for each in statements if "Sid" in each]
        _require(len(set(names)) == len(names), f"two statements with one Sid: {names}")
        reply["Policy"]["Statement"] = statements
        reply["RevisionId"] = str(uuid.uuid5(uuid.NAMESPACE_OID, reply["RevisionId"]))
        size = len(json.dumps(reply["Policy"], separators=(",", ":")))
        _require(size <= _POLICY_BYTES, f"a policy of {size} bytes")
        if not statements:
            self.case["policies"].remove(reply)

    # ── Lambda: functions ───────────────────────────────────────────────────────────────────────────────────────────

    def _urls(self, options: Options) -> dict[str, Any]:
        suffix = f":function:{options['function_name']}"
        suffix += f":{options['qualifier']}" if "qualifier" in options else ""
        return next(each for each in self.case["function_urls"] if each["FunctionArn"].endswith(suffix))

    def _lambda_update_function_url_config(self, options: Options) -> dict[str, Any]:
        self._urls(options)["AuthType"] = options["auth_type"]
        return {}

    def _lambda_delete_function_url_config(self, options: Options) -> dict[str, Any]:
        self.case["function_urls"].remove(self._urls(options))
        return {}

    def _lambda_update_function_configuration(self, options: Options) -> dict[str, Any]:
        name = options["function_name"].rpartition(":function:")[2]
        own = [{"FunctionArn": f"arn:aws:lambda:{self.region}:{self.number}:function:{name}", "FunctionName": name}]
        functions = self.case.get("functions") or own
        self.case["functions"] = functions
        role = self._role(options["role"].rpartition("/")[2])
        for function in (*functions, *([self.case["function"]] if "function" in self.case else [])):
            if function.get("FunctionArn", "").endswith(f":function:{name}"):
                function["Role"] = options["role"]
                for field in _FAILED:  # AWS evaluates the function again
                    function.pop(field, None)
        for arn, users in self.case.get("role_users", {}).items():
            if isinstance(users, list):
                left = [user for user in users if user != name]
                self.case["role_users"][arn] = sorted([*left, name]) if arn == options["role"] else left
        trust = json.dumps(role["Role"].get("AssumeRolePolicyDocument", "lambda.amazonaws.com"))
        _require("lambda.amazonaws.com" in trust, "Lambda cannot assume the role")
        return {}

    def _lambda_update_event_source_mapping(self, options: Options) -> dict[str, Any]:
        mapping = next(each for each in self.case["mappings"] if each["UUID"] == options["uuid"])
        if "enabled" in options:
            mapping |= {"State": "Enabled", "StateTransitionReason": "USER_INITIATED", "LastProcessingResult": "OK"}
        return {}

    # ── IAM ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _role(self, name: str) -> dict[str, Any]:
        for entry in self.case.setdefault("roles", []):
            if entry["Role"]["RoleName"] == name and not entry.get("Deleted") and "Unread" not in entry:
                return dict_of(entry)
        raise RefusedError(f"no role {name}")

    def _iam_create_role(self, options: Options) -> dict[str, Any]:
        name = options["role_name"]
        roles = self.case.setdefault("roles", [])
        existing = [entry for entry in roles if entry["Role"]["RoleName"] == name]
        _require(all(entry.get("Deleted") for entry in existing), f"the role {name} exists")
        trust = json.loads(options["assume_role_policy_document"])
        role = {"RoleName": name, "Path": options.get("path", "/"), "AssumeRolePolicyDocument": trust}
        self.case["roles"] = [entry for entry in roles if entry not in existing] + [{"Role": role}]
        if "role_users" in self.case:
            self.case["role_users"].setdefault(f"arn:aws:iam::{self.number}:role{role['Path']}{name}", [])
        return {}

    def _iam_get_role(self, options: Options) -> dict[str, Any]:
        role = self._role(options["role_name"])["Role"]
        return {"Role": {"AssumeRolePolicyDocument": TRUST_LAMBDA, **role}}

    def _iam_update_assume_role_policy(self, options: Options) -> dict[str, Any]:
        trust = json.loads(options["policy_document"])
        _require(trust["Statement"], "an empty trust policy")
        self._role(options["role_name"])["Role"]["AssumeRolePolicyDocument"] = trust
        return {}

    def _iam_attach_role_policy(self, options: Options) -> dict[str, Any]:
        arn = options["policy_arn"]
        by_aws = managed_policy(arn)
        document = by_aws.document if by_aws else self.own_policies.get(arn)
        _require(document, f"no policy {arn}")
        self._role(options["role_name"]).setdefault("AttachedPolicies", {})[arn] = document
        return {}

    def _iam_detach_role_policy(self, options: Options) -> dict[str, Any]:
        attached = self._role(options["role_name"]).get("AttachedPolicies", {})
        _require(options["policy_arn"] in attached, f"{options['policy_arn']} is not attached")
        del attached[options["policy_arn"]]
        return {}

    def _iam_put_role_policy(self, options: Options) -> dict[str, Any]:
        policies = self._role(options["role_name"]).setdefault("RolePolicies", {})
        policies[options["policy_name"]] = json.loads(options["policy_document"])
        return {}

    def _iam_delete_role_policy(self, options: Options) -> dict[str, Any]:
        policies = self._role(options["role_name"]).get("RolePolicies", {})
        _require(options["policy_name"] in policies, f"no policy {options['policy_name']}")
        del policies[options["policy_name"]]
        return {}

    # ── KMS ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _kms_enable_key(self, options: Options) -> dict[str, Any]:
        return self._key(options)

    def _kms_cancel_key_deletion(self, options: Options) -> dict[str, Any]:
        return self._key(options)

    def _key(self, options: Options) -> dict[str, Any]:
        _require(re.search(r":key/[\w-]+$", options["key_id"]), f"no key {options['key_id']}")
        return {}


_CONDITIONS: Final = {
    "source_arn": ("ArnLike", "AWS:SourceArn", _SOURCE_ARN.pattern),
    "source_account": ("StringEquals", "AWS:SourceAccount", r"\d{12}"),
    "principal_org_id": ("StringEquals", "aws:PrincipalOrgID", r"o-[a-z0-9]{10,32}"),
    "event_source_token": ("StringEquals", "lambda:EventSourceToken", r"[a-zA-Z0-9._\-]{1,256}"),
    "function_url_auth_type": ("StringEquals", "lambda:FunctionUrlAuthType", r"NONE|AWS_IAM"),
    "invoked_via_function_url": ("Bool", "lambda:InvokedViaFunctionUrl", r"true"),
}
"""The conditions that Lambda writes: https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html"""


def statement_of(options: Options, arn: str) -> dict[str, Any]:
    """Return the statement that Lambda writes for the parameters of AddPermission, without its Sid."""
    principal: Any = options["principal"]
    if principal != "*":
        is_service = re.search(r"\.(com|cn)$", principal) and not principal.startswith("arn:")
        principal = {"Service" if is_service else "AWS": principal}
    condition: dict[str, Any] = {}
    for option, (operator, key, _) in _CONDITIONS.items():
        if option in options:
            condition.setdefault(operator, {})[key] = options[option]
    statement = {"Effect": "Allow", "Principal": principal, "Action": options["action"], "Resource": arn}
    return statement | ({"Condition": condition} if condition else {})


def commands_of(text: str) -> Iterator[list[str]]:
    """Yield the words of each command that a shell would run."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="".join(_SEPARATORS))
    lexer.whitespace, lexer.whitespace_split = " \t", True
    words: list[str] = []
    for token in lexer:
        if token and set(token) <= _SEPARATORS:
            if words:
                yield words
            words = []
        else:
            words.append(token)
    if words:
        yield words


def options_of(words: list[str]) -> Options:
    """Return the options by their names in Python."""
    options: Options = {}
    name = ""
    for word in words:
        if word.startswith("--"):
            name, equals, value = word.removeprefix("--").partition("=")
            name = name.replace("-", "_")
            options[name] = value if equals else "true"
        else:
            options[name] = word if options[name] == "true" else f"{options[name]} {word}"
    return options


def dict_of(value: Any) -> dict[str, Any]:
    """Return a value that is a dictionary."""
    assert isinstance(value, dict)
    return value


def document_of(policy: Any) -> Any:
    """Return a policy that a case has as an object or as text."""
    return json.loads(policy) if isinstance(policy, str) else policy


def _listed(policy: dict[str, Any], name: str) -> list[Any]:
    value = policy.get(name, [])
    return list(value) if isinstance(value, list) else [value]


def _require(condition: object, problem: str) -> None:
    if not condition:
        raise RefusedError(problem)
