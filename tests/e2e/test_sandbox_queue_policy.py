"""Queue policies: who may send to a queue, and who controls it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sandbox.client.process import ACCOUNT, REGION, Sandbox
from tests.e2e.answers import rejection, stable_status
from tests.e2e.queues import BY_POLICY, EVERYTHING, Queue, only

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("operator", ["ArnNotEquals", "ArnNotLike", "StringNotEquals", "ArnNotEqualsIfExists"])
def test_a_deny_with_exceptions_lets_only_the_excepted_role_send(
    *, sandbox: Sandbox, assume: Callable[[str, str], Any], queue: Queue, sender: str, stranger: str, operator: str
) -> None:
    """A deny with exceptions lets only the excepted role send: not others, and not the root."""
    queue.set_policy(only(queue.name, sender, operator=operator))
    batch = [{"Id": "1", "MessageBody": "batch"}]

    assume(sender, "sqs").send_message(QueueUrl=queue.url, MessageBody="one")
    assert assume(sender, "sqs").send_message_batch(QueueUrl=queue.url, Entries=batch)["Successful"]

    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{stranger.rpartition('/')[2]}/test"
    denial = f"is not authorized to perform: sqs:sendmessage on resource: {queue.arn} {BY_POLICY}"
    for who, sqs in ((session, assume(stranger, "sqs")), (f"arn:aws:iam::{ACCOUNT}:root", sandbox.client("sqs"))):
        expected = ("AccessDenied", f"User: {who} {denial}", 403)
        assert rejection(sqs.send_message, QueueUrl=queue.url, MessageBody="x") == expected
        assert rejection(sqs.send_message_batch, QueueUrl=queue.url, Entries=batch) == expected
    assert queue.bodies() == ["one", "batch"]


def test_a_role_with_a_path_and_a_user_are_recognized(
    sandbox: Sandbox, assume: Callable[[str, str], Any], queue: Queue, unique: str
) -> None:
    """The exception names a role with its path, or a user."""
    iam, document = sandbox.client("iam"), json.dumps({"Version": "2012-10-17", "Statement": [EVERYTHING]})
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName=unique, Path="/team/", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))[
        "Role"
    ]["Arn"]
    iam.put_role_policy(RoleName=unique, PolicyName="own", PolicyDocument=document)
    user = iam.create_user(UserName=unique)["User"]["Arn"]
    iam.put_user_policy(UserName=unique, PolicyName="own", PolicyDocument=document)
    key = iam.create_access_key(UserName=unique)["AccessKey"]
    by_user = sandbox.client("sqs", {**key, "SessionToken": None})

    queue.set_policy(only(queue.name, role))
    assume(role, "sqs").send_message(QueueUrl=queue.url, MessageBody="role")
    assert f"User: {user} is not" in rejection(by_user.send_message, QueueUrl=queue.url, MessageBody="x")[1]
    queue.set_policy(only(queue.name, user))
    by_user.send_message(QueueUrl=queue.url, MessageBody="user")
    assert BY_POLICY in rejection(assume(role, "sqs").send_message, QueueUrl=queue.url, MessageBody="x")[1]
    assert queue.bodies() == ["role", "user"]


def test_the_query_protocol_gets_the_denial_as_xml(sandbox: Sandbox, queue: Queue) -> None:
    """The query protocol gets the denial as XML."""
    queue.set_policy(only(queue.name))
    body = urlencode({"Action": "SendMessage", "QueueUrl": queue.url, "MessageBody": "x", "Version": "2012-11-05"})
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    signed = AWSRequest(method="POST", url=f"{sandbox.endpoint}/", data=body.encode(), headers=headers)
    SigV4Auth(Credentials(ACCOUNT, "sandbox"), "sqs", REGION).add_auth(signed)
    request = urllib.request.Request(str(signed.url), signed.data, dict(signed.headers.items()))  # noqa: S310 - loopback

    with pytest.raises(urllib.error.HTTPError) as denied:
        urllib.request.urlopen(request)  # noqa: S310 - loopback

    with denied.value as reply:
        text = reply.read().decode()
    assert (denied.value.code, "<Code>AccessDenied</Code>" in text) == (403, True)
    assert f"sqs:sendmessage on resource: {queue.arn} {BY_POLICY}</Message>" in text


def test_identity_and_queue_policies_are_combined(
    make_role: Callable[..., str], assume: Callable[[str, str], Any], queue: Queue, unique: str
) -> None:
    """An allow of either suffices, and a deny of either wins."""
    role = make_role(unique)
    denied = make_role(f"{unique}-denied", {**EVERYTHING, "Effect": "Deny"})
    message = {"QueueUrl": queue.url, "MessageBody": "x"}
    on_queue = f"sqs:sendmessage on resource: {queue.arn}"

    without = rejection(assume(role, "sqs").send_message, **message)[1]
    principals = {"AWS": [role, denied]}
    queue.set_policy({"Effect": "Allow", "Principal": principals, "Action": "sqs:SendMessage", "Resource": queue.arn})

    assert assume(role, "sqs").send_message(**message)["MessageId"]
    by_role = rejection(assume(denied, "sqs").send_message, **message)[1]
    assert without.endswith(f"{on_queue} because no identity-based policy allows the sqs:sendmessage action")
    assert by_role.endswith(f"{on_queue} with an explicit deny in an identity-based policy")


def test_the_owner_keeps_control_of_the_queue(sandbox: Sandbox, queue: Queue, sender: str) -> None:
    """The deny to send does not keep the owner from receiving, purging, changing and deleting."""
    sqs = sandbox.client("sqs")
    queue.set_policy(only(queue.name, sender))

    assert queue.bodies() == []
    sqs.purge_queue(QueueUrl=queue.url)
    sqs.set_queue_attributes(QueueUrl=queue.url, Attributes={"VisibilityTimeout": "7"})
    attributes = sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["All"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "7"
    assert json.loads(attributes["Policy"])["Statement"] == [only(queue.name, sender)]
    sqs.delete_queue(QueueUrl=queue.url)


def test_the_root_gets_back_into_a_queue_that_denies_everyone(
    sandbox: Sandbox, assume: Callable[[str, str], Any], queue: Queue, stranger: str
) -> None:
    """Only the root can read and replace a policy that denies everyone everything."""
    sqs = sandbox.client("sqs")
    queue.set_policy({"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": queue.arn})

    url = {"QueueUrl": queue.url}
    assert BY_POLICY in rejection(sqs.purge_queue, **url)[1]
    assert BY_POLICY in rejection(sqs.receive_message, **url)[1]
    assert BY_POLICY in rejection(sqs.delete_queue, **url)[1]
    change = {**url, "Attributes": {"Policy": ""}}
    assert BY_POLICY in rejection(assume(stranger, "sqs").set_queue_attributes, **change)[1]
    assert sqs.get_queue_url(QueueName=queue.name)["QueueUrl"] == queue.url
    assert "Deny" in sqs.get_queue_attributes(**url, AttributeNames=["Policy"])["Attributes"]["Policy"]
    sqs.set_queue_attributes(**change)
    sqs.purge_queue(**url)


def test_cloudformation_makes_changes_and_removes_a_queue_policy(
    sandbox: Sandbox, assume: Callable[[str, str], Any], unique: str, sender: str, stranger: str
) -> None:
    """A stack makes, changes and removes a queue policy with a deny and conditions."""
    cloudformation, sqs = sandbox.client("cloudformation"), sandbox.client("sqs")

    def template(*statements: dict[str, Any]) -> str:
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        policy = {"Type": "AWS::SQS::QueuePolicy"}
        made = {**policy, "Properties": {"Queues": [{"Ref": "Queue"}], "PolicyDocument": document}}
        queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": unique}}
        return json.dumps({"Resources": {"Queue": queue, **({"Policy": made} if statements else {})}})

    cloudformation.create_stack(StackName=unique, TemplateBody=template(only(unique, sender)))
    assert stable_status(sandbox, unique) == "CREATE_COMPLETE"
    message = {"QueueUrl": sqs.get_queue_url(QueueName=unique)["QueueUrl"], "MessageBody": "x"}
    assume(sender, "sqs").send_message(**message)
    assert BY_POLICY in rejection(assume(stranger, "sqs").send_message, **message)[1]

    cloudformation.update_stack(StackName=unique, TemplateBody=template(only(unique, stranger)))
    assert stable_status(sandbox, unique) == "UPDATE_COMPLETE"
    assume(stranger, "sqs").send_message(**message)
    assert BY_POLICY in rejection(assume(sender, "sqs").send_message, **message)[1]

    cloudformation.update_stack(StackName=unique, TemplateBody=template())
    assert stable_status(sandbox, unique) == "UPDATE_COMPLETE"
    sqs.send_message(**message)
