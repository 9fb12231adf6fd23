"""Create roles, functions, queues and buckets with plain AWS calls, as an engineer would.

The demo and the end-to-end tests make their changes with it.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

from sandbox.client.process import ACCOUNT, REGION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.client.process import Sandbox

MANAGED = "arn:aws:iam::aws:policy/service-role/"
LOGS_POLICY = f"{MANAGED}AWSLambdaBasicExecutionRole"
SQS_POLICY = f"{MANAGED}AWSLambdaSQSQueueExecutionRole"
KINESIS_POLICY = f"{MANAGED}AWSLambdaKinesisExecutionRole"
NETWORK_POLICY = f"{MANAGED}AWSLambdaVPCAccessExecutionRole"
DYNAMODB_POLICY = f"{MANAGED}AWSLambdaDynamoDBExecutionRole"

_HANDLER = """import json


def handler(event, context):
    print(json.dumps(event))
    return {'seen': event}
"""
_TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}


class Engineer:
    """Make calls to AWS. `report` gets each call as an AWS CLI command."""

    def __init__(self, aws: Sandbox, report: Callable[[str], None] = lambda _: None) -> None:
        self._report = report
        self.aws = aws
        self.iam = aws.client("iam")
        self.functions = aws.client("lambda")
        self._sqs, self._s3 = aws.client("sqs"), aws.client("s3")
        self._kinesis, self._dynamodb = aws.client("kinesis"), aws.client("dynamodb")

    def role(
        self, name: str, *policy_arns: str, tags: Mapping[str, str] | None = None, writes_logs: bool = True
    ) -> str:
        """Create an execution role with managed policies, including the one for logs, and return its ARN."""
        self._report(f"aws iam create-role --role-name {name} --assume-role-policy-document ...")
        role = self.iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=document(_TRUST),
            Tags=[{"Key": key, "Value": value} for key, value in (tags or {}).items()],
        )
        for arn in ([LOGS_POLICY] if writes_logs else []) + list(policy_arns):
            self.attach(name, arn)
        return str(role["Role"]["Arn"])

    def policy(self, name: str, *statements: Mapping[str, Any]) -> str:
        """Create a customer managed policy and return its ARN."""
        self._report(f"aws iam create-policy --policy-name {name} --policy-document ...")
        made = self.iam.create_policy(PolicyName=name, PolicyDocument=document(*statements))
        return str(made["Policy"]["Arn"])

    def attach(self, role: str, policy_arn: str) -> None:
        """Attach a managed policy."""
        self._report(f"aws iam attach-role-policy --role-name {role} --policy-arn {policy_arn}")
        self.iam.attach_role_policy(RoleName=role, PolicyArn=policy_arn)

    def detach(self, role: str, policy_arn: str) -> None:
        """Detach a managed policy."""
        self._report(f"aws iam detach-role-policy --role-name {role} --policy-arn {policy_arn}")
        self.iam.detach_role_policy(RoleName=role, PolicyArn=policy_arn)

    def attached(self, role: str) -> list[str]:
        """Return the ARNs of a role's managed policies, as IAM lists them."""
        policies = self.iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        return sorted(policy["PolicyArn"] for policy in policies)

    def function(self, name: str, role_arn: str, **settings: Any) -> str:
        """Create a function and return its ARN."""
        self._report(f"aws lambda create-function --function-name {name} --role {role_arn} ...")
        made = self.functions.create_function(
            FunctionName=name,
            Role=role_arn,
            Runtime="python3.13",
            Handler="app.handler",
            Code={"ZipFile": _package()},
            **settings,
        )
        return str(made["FunctionArn"])

    def bucket(self, name: str) -> str:
        """Create a bucket and return its ARN."""
        self._report(f"aws s3api create-bucket --bucket {name}")
        self._s3.create_bucket(Bucket=name)
        return f"arn:aws:s3:::{name}"

    def notify(self, bucket: str, function_arn: str = "") -> None:
        """Have a bucket invoke a function for each new object, or nothing any more.

        S3 does not validate it, so the permission may come later, or be missing.
        """
        self._report(f"aws s3api put-bucket-notification-configuration --bucket {bucket} ...")
        new_objects = {"LambdaFunctionArn": function_arn, "Events": ["s3:ObjectCreated:*"]}
        self._s3.put_bucket_notification_configuration(
            Bucket=bucket,
            NotificationConfiguration={"LambdaFunctionConfigurations": [new_objects]} if function_arn else {},
            SkipDestinationValidation=True,
        )

    def upload(self, bucket: str, key: str) -> None:
        """Upload an empty object."""
        self._report(f"aws s3api put-object --bucket {bucket} --key {key}")
        self._s3.put_object(Bucket=bucket, Key=key, Body=b"")

    def queue(self, name: str) -> str:
        """Create a queue and return its ARN."""
        self._report(f"aws sqs create-queue --queue-name {name}")
        self._sqs.create_queue(QueueName=name)
        return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"

    def admit(self, queue: str, *role_arns: str) -> None:
        """Write the policy of a queue so that it admits these roles alone; without any, the queue has no policy."""
        self._report(f"aws sqs set-queue-attributes --queue-url .../{queue} --attributes Policy=...")
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"
        allow = {"Effect": "Allow", "Principal": {"AWS": list(role_arns)}, "Action": "sqs:*", "Resource": arn}
        url = self._sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        self._sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document(allow) if role_arns else ""})

    def stream(self, name: str) -> str:
        """Create a data stream and return its ARN."""
        self._report(f"aws kinesis create-stream --stream-name {name} --shard-count 1")
        self._kinesis.create_stream(StreamName=name, ShardCount=1)
        return f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}"

    def table(self, name: str) -> str:
        """Create a table with a stream, and return the stream's ARN."""
        self._report(f"aws dynamodb create-table --table-name {name} --stream-specification StreamEnabled=true,...")
        made = self._dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
        return str(made["TableDescription"]["LatestStreamArn"])

    def mapping(self, function: str, source_arn: str) -> str:
        """Create an event source mapping, and return its UUID."""
        self._report(
            f"aws lambda create-event-source-mapping --function-name {function} --event-source-arn {source_arn}"
        )
        position = {} if ":sqs:" in source_arn else {"StartingPosition": "LATEST"}
        made = self.functions.create_event_source_mapping(FunctionName=function, EventSourceArn=source_arn, **position)
        return str(made["UUID"])

    def touch(self, mapping: str) -> None:
        """Change an event source mapping, which starts a check of its function."""
        self._report(f"aws lambda update-event-source-mapping --uuid {mapping} --batch-size 5")
        self.functions.update_event_source_mapping(UUID=mapping, BatchSize=5)

    def permit(self, function: str, sid: str, principal: str, **conditions: str) -> None:
        """Add a statement to a function's policy; `conditions` has SourceArn, SourceAccount and so on."""
        options = "".join(f" --{_option(name)} {value}" for name, value in conditions.items())
        self._report(
            f"aws lambda add-permission --function-name {function} --statement-id {sid} "
            f"--action lambda:InvokeFunction --principal {principal}{options}"
        )
        self.functions.add_permission(
            FunctionName=function,
            StatementId=sid,
            Action="lambda:InvokeFunction",
            Principal=principal,
            **conditions,
        )

    def forbid(self, function: str, sid: str) -> None:
        """Remove a statement from a function's policy."""
        self._report(f"aws lambda remove-permission --function-name {function} --statement-id {sid}")
        self.functions.remove_permission(FunctionName=function, StatementId=sid)

    def statements(self, function: str) -> list[dict[str, Any]]:
        """Return the statements of a function's policy, as Lambda returns them."""
        found: list[dict[str, Any]] = json.loads(self.functions.get_policy(FunctionName=function)["Policy"])[
            "Statement"
        ]
        return found

    def delete(self, function: str) -> None:
        """Delete a function."""
        self._report(f"aws lambda delete-function --function-name {function}")
        self.functions.delete_function(FunctionName=function)


def document(*statements: Mapping[str, Any]) -> str:
    """Return a policy document as JSON text."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _option(name: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")


def _package() -> bytes:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", _HANDLER)
    return package.getvalue()
