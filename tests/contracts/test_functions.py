"""What Lambda answers about functions, their policies and their mappings."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.contracts.implementations import code_of, unique
from tests.contracts.test_roles import make_role
from tests.fakes import ACCOUNT, REGION, SQS_POLICY_ARN, allow

if TYPE_CHECKING:
    from tests.contracts.implementations import Aws

MISSING = "ResourceNotFoundException"
INVOKE = {"Action": "lambda:InvokeFunction"}


@pytest.fixture
def functions(aws: Aws) -> Any:
    """Return the client."""
    return aws.client("lambda")


@pytest.fixture
def function(aws: Aws) -> str:
    """Make a function; return its name."""
    return make_function(aws)


def make_function(aws: Aws, **more: Any) -> str:
    """Make a function with a role; return its name."""
    code, name = io.BytesIO(), unique("orders")
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "")
    role = f"arn:aws:iam::{ACCOUNT}:role/{make_role(aws)}"
    settings = {"Runtime": "python3.13", "Handler": "app.handler", "Code": {"ZipFile": code.getvalue()}}
    aws.client("lambda").create_function(FunctionName=name, Role=role, **settings, **more)
    return name


def function_arn(name: str) -> str:
    """Return the ARN of a function."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def policy_of(functions: Any, name: str) -> list[dict[str, Any]]:
    """Return the statements of a function's policy."""
    statements: list[dict[str, Any]] = json.loads(functions.get_policy(FunctionName=name)["Policy"])["Statement"]
    return statements


def test_a_function_without_a_policy_has_none(functions: Any, function: str) -> None:
    """GetPolicy is an error then, and again after the last statement was removed.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetPolicy.html
    """
    never = code_of(functions.get_policy, FunctionName=function_arn(function))
    functions.add_permission(FunctionName=function, StatementId="a", Principal="s3.amazonaws.com", **INVOKE)
    functions.remove_permission(FunctionName=function, StatementId="a")

    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.get_policy(FunctionName=function_arn(function))
    assert never == MISSING


@pytest.mark.parametrize(
    ("principal", "shown"),
    [
        ("s3.amazonaws.com", {"Service": "s3.amazonaws.com"}),
        ("*", "*"),
    ],
)
def test_a_permission_is_a_statement(functions: Any, function: str, principal: str, shown: object) -> None:
    """It has no condition without a source.

    https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
    """
    functions.add_permission(FunctionName=function, StatementId="a", Principal=principal, **INVOKE)

    (statement,) = policy_of(functions, function_arn(function))

    assert statement == {
        "Sid": "a",
        "Effect": "Allow",
        "Principal": shown,
        "Action": "lambda:InvokeFunction",
        "Resource": function_arn(function),
    }


@pytest.mark.differs(moto="shows an account by its number")
def test_an_account_is_shown_as_its_root(functions: Any, function: str) -> None:
    """Its number is a short form.

    https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
    """
    functions.add_permission(FunctionName=function, StatementId="a", Principal="111122223333", **INVOKE)

    assert policy_of(functions, function)[0]["Principal"] == {"AWS": "arn:aws:iam::111122223333:root"}


def test_a_source_is_a_condition(functions: Any, function: str) -> None:
    """The name of its key has capitals.

    https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
    """
    source = "arn:aws:s3:::uploads"
    request = {"StatementId": "a", "Principal": "s3.amazonaws.com", "SourceArn": source, **INVOKE}

    functions.add_permission(FunctionName=function, **request)

    assert policy_of(functions, function)[0]["Condition"] == {"ArnLike": {"AWS:SourceArn": source}}


@pytest.mark.differs(moto="accepts it again")
def test_a_statement_id_is_used_once(functions: Any, function: str) -> None:
    """Another statement with it is a conflict; removing one that does not exist is an error.

    https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
    """
    request = {"FunctionName": function, "StatementId": "a", "Principal": "s3.amazonaws.com", **INVOKE}
    functions.add_permission(**request)

    assert code_of(functions.add_permission, **request) == "ResourceConflictException"
    assert code_of(functions.remove_permission, FunctionName=function, StatementId="b") == MISSING
    assert len(policy_of(functions, function)) == 1


def test_a_function_that_does_not_exist_is_an_error(functions: Any) -> None:
    """It is the same one for its policy and its tags.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html
    """
    arn = function_arn(unique("missing"))

    assert code_of(functions.get_function_configuration, FunctionName=arn) == MISSING
    assert code_of(functions.get_policy, FunctionName=arn) == MISSING
    assert code_of(functions.list_tags, Resource=arn) == MISSING


def test_a_function_is_read_by_its_name_and_by_its_arn(aws: Aws, functions: Any) -> None:
    """It is in the list, and has its tags.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html
    """
    name = make_function(aws, Tags={"team": "shop"})

    by_name, by_arn = (functions.get_function_configuration(FunctionName=one) for one in (name, function_arn(name)))
    pages = functions.get_paginator("list_functions").paginate()

    assert by_name["FunctionArn"] == by_arn["FunctionArn"] == function_arn(name)
    assert by_name["Role"].startswith(f"arn:aws:iam::{ACCOUNT}:role/")
    assert function_arn(name) in [one["FunctionArn"] for page in pages for one in page["Functions"]]
    assert functions.list_tags(Resource=function_arn(name))["Tags"] == {"team": "shop"}


def test_a_deleted_function_does_not_exist(functions: Any, function: str) -> None:
    """Reading it is an error.

    https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunction.html
    """
    functions.delete_function(FunctionName=function)

    assert code_of(functions.get_function_configuration, FunctionName=function) == MISSING


@pytest.fixture
def mapping(aws: Aws, functions: Any, function: str) -> dict[str, Any]:
    """Make a mapping of a queue that the execution role may receive messages from; return the reply."""
    queue, role = unique("queue"), functions.get_function_configuration(FunctionName=function)["Role"]
    aws.client("iam").attach_role_policy(RoleName=role.rpartition("/")[2], PolicyArn=SQS_POLICY_ARN)
    aws.client("sqs").create_queue(QueueName=queue)
    source = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"
    made: dict[str, Any] = functions.create_event_source_mapping(FunctionName=function, EventSourceArn=source)
    return made


def test_an_event_source_mapping_is_listed_until_it_is_deleted(
    aws: Aws, functions: Any, function: str, mapping: dict[str, Any]
) -> None:
    """It names its function and its source by their ARNs.

    https://docs.aws.amazon.com/lambda/latest/api/API_ListEventSourceMappings.html
    """

    def mappings() -> list[dict[str, Any]]:
        pages = functions.get_paginator("list_event_source_mappings").paginate()
        every = (one for page in pages for one in page["EventSourceMappings"])
        return [one for one in every if one["FunctionArn"] == function_arn(function)]

    (listed,) = mappings()
    functions.delete_event_source_mapping(UUID=mapping["UUID"])

    assert (listed["UUID"], listed["EventSourceArn"]) == (mapping["UUID"], mapping["EventSourceArn"])
    assert aws.eventually(lambda: not mappings())


def test_an_event_source_mapping_is_read_by_its_uuid(functions: Any, function: str, mapping: dict[str, Any]) -> None:
    """It is the one that is listed, with why it is in its state.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetEventSourceMapping.html
    """
    read = functions.get_event_source_mapping(UUID=mapping["UUID"])
    pages = functions.get_paginator("list_event_source_mappings").paginate()
    listed = [one for page in pages for one in page["EventSourceMappings"] if one["UUID"] == mapping["UUID"]]

    names = ("UUID", "FunctionArn", "EventSourceArn", "StateTransitionReason")
    assert [{name: one[name] for name in names} for one in listed] == [{name: read[name] for name in names}]
    assert (read["FunctionArn"], read["EventSourceArn"]) == (function_arn(function), mapping["EventSourceArn"])


@pytest.mark.differs(moto="words the reason in another way")
def test_an_event_source_mapping_is_disabled_and_enabled_again(
    aws: Aws, functions: Any, mapping: dict[str, Any]
) -> None:
    """It then says that a person is the reason, and keeps its source.

    https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html
    """

    def switched(state: str) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            one: dict[str, Any] = functions.get_event_source_mapping(UUID=mapping["UUID"])
            return one if one["State"] == state else None

        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=state == "Enabled")
        return aws.eventually(found)

    disabled, enabled = switched("Disabled"), switched("Enabled")

    assert disabled["StateTransitionReason"] == enabled["StateTransitionReason"] == "USER_INITIATED"
    assert disabled["EventSourceArn"] == enabled["EventSourceArn"] == mapping["EventSourceArn"]


@pytest.mark.differs(moto="has the state at its end", ministack="says Updating")
def test_the_reply_to_disabling_and_enabling_has_the_state_on_the_way_there(
    functions: Any, mapping: dict[str, Any]
) -> None:
    """The fix of a mapping takes `Enabling` for enabled.

    https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html
    """
    replies = [
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=is_enabled)["State"]
        for is_enabled in (False, True)
    ]

    assert replies == ["Disabling", "Enabling"]


@pytest.mark.differs(moto="updates and deletes it without an error")
def test_an_event_source_mapping_that_does_not_exist_is_an_error(functions: Any) -> None:
    """It is the same one, whatever is to be done with it.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetEventSourceMapping.html
    """
    number = str(uuid.uuid4())

    assert code_of(functions.get_event_source_mapping, UUID=number) == MISSING
    assert code_of(functions.update_event_source_mapping, UUID=number, Enabled=True) == MISSING
    assert code_of(functions.delete_event_source_mapping, UUID=number) == MISSING


@pytest.mark.differs(moto="knows no broker as a source", ministack="knows no broker as a source")
def test_an_event_source_mapping_of_a_broker_has_its_queue_and_its_secret(functions: Any, function: str) -> None:
    """A fix reads there what the role must be allowed.

    https://docs.aws.amazon.com/lambda/latest/dg/with-mq.html
    """
    secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:broker-a1b2c3"
    given = {"Queues": ["orders"], "SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": secret}]}
    broker = f"arn:aws:mq:{REGION}:{ACCOUNT}:broker:{unique('orders')}:b-1234a5b6-78cd-901e-2fgh-3i45j6k178l9"

    made = functions.create_event_source_mapping(FunctionName=function, EventSourceArn=broker, **given)
    read = functions.get_event_source_mapping(UUID=made["UUID"])

    assert {name: read[name] for name in given} == given


@pytest.mark.differs(moto="ignores them")
def test_an_update_of_a_function_changes_what_it_names(aws: Aws, functions: Any, function: str) -> None:
    """Where the function writes what fails, its logs and its traces: its role needs permissions for these.

    https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html
    """
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:failed"
    before = functions.get_function_configuration(FunctionName=function)
    role = before["Role"].rpartition("/")[2]
    document = json.dumps(allow("sqs:SendMessage"))
    aws.client("iam").put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=document)
    logs = {"LogFormat": "JSON", "LogGroup": f"/shop/{function}"}

    functions.update_function_configuration(FunctionName=function, DeadLetterConfig={"TargetArn": queue})
    functions.update_function_configuration(FunctionName=function, TracingConfig={"Mode": "Active"}, LoggingConfig=logs)
    after = functions.get_function_configuration(FunctionName=function)

    assert after.get("DeadLetterConfig") == {"TargetArn": queue}
    assert after.get("TracingConfig") == {"Mode": "Active"}
    assert {key: after["LoggingConfig"][key] for key in logs} == logs
    assert after["Role"] == before["Role"]
