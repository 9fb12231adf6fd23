"""The SNS channel: publishes findings to a topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from permission_guard.delivery.alerts.sns.message import digest_publication, publication, test_publication
from permission_guard.errors import DeliveryError, error_code

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import PublishInputTypeDef

    from permission_guard.bus.alert_tests import AlertTest
    from permission_guard.delivery.alerts.sns.message import Publication
    from permission_guard.model.digests import Digest
    from permission_guard.model.findings import Finding


class SnsChannel:
    """Publishes each finding to one topic; the reference is the message's id."""

    name = "sns"

    def __init__(self, client: SNSClient, topic_arn: str) -> None:
        self._sns = client
        self._topic_arn = topic_arn

    def send(self, finding: Finding, reference: str | None) -> str:  # noqa: ARG002 - every message is a new one
        """Publish the finding; DeliveryError when SNS did not accept it."""
        return self._publish(publication(finding), finding.id, f"{finding.id}-{finding.revision}")

    def send_digest(self, digest: Digest) -> str:
        """Publish a digest; DeliveryError when SNS did not accept it."""
        return self._publish(digest_publication(digest), digest.id, digest.id)

    def send_test(self, test: AlertTest) -> str:
        """Publish a test message; DeliveryError when SNS did not accept it."""
        return self._publish(test_publication(test), test.key, test.key)

    def _publish(self, content: Publication, group: str, deduplication_id: str) -> str:
        try:
            return self._sns.publish(**self._request(content, group, deduplication_id))["MessageId"]
        except ClientError as error:
            raise DeliveryError(f"SNS did not accept the message for {self._topic_arn}: {error_code(error)}") from error
        except BotoCoreError as error:
            raise DeliveryError(f"the call to SNS failed: {type(error).__name__}") from error

    def _request(self, content: Publication, group: str, deduplication_id: str) -> PublishInputTypeDef:
        request: PublishInputTypeDef = {
            "TopicArn": self._topic_arn,
            "Subject": content.subject,
            "Message": content.message,
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value} for name, value in content.attributes.items()
            },
        }
        if self._topic_arn.endswith(".fifo"):
            request["MessageGroupId"] = group
            request["MessageDeduplicationId"] = deduplication_id
        return request
