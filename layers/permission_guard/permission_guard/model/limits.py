"""The limits of AWS, Slack and ticket systems on what the bot sends. In bytes, unless the name says otherwise.

Where AWS has raised a limit in some regions only, the lower one stands here.
"""

from __future__ import annotations

from typing import Final

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
EVENT_ENTRY: Final = 256 * 1024
"""The entry of a PutEvents request: its source, detail-type, resources and detail."""

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
TABLE_ITEM: Final = 400 * 1024
TRANSACTION: Final = 4 * 1024 * 1024
TRANSACTION_ACTIONS: Final = 100
BATCH_WRITE_ITEMS: Final = 25
BATCH_GET_ITEMS: Final = 100

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
QUEUE_MESSAGE: Final = 256 * 1024
QUEUE_BATCH_MESSAGES: Final = 10

# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
TOPIC_MESSAGE: Final = 256 * 1024
"""The message with its attributes."""
TOPIC_SUBJECT_CHARACTERS: Final = 99
"""The subject must have less than 100 characters."""

# https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
AMAZON_Q_TITLE_CHARACTERS: Final = 250
AMAZON_Q_DESCRIPTION_CHARACTERS: Final = 8_000

# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateOpsItem.html
OPS_ITEM_TITLE: Final = 1_024
OPS_ITEM_DESCRIPTION: Final = 2_048
OPS_ITEM_VALUE: Final = 20_000
OPS_ITEM_TAG: Final = 256

# https://docs.slack.dev/reference/block-kit/blocks
SLACK_BLOCKS: Final = 50
SLACK_HEADER_CHARACTERS: Final = 150

# https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html
ASFF_TITLE_CHARACTERS: Final = 256
ASFF_DESCRIPTION_CHARACTERS: Final = 1_024
ASFF_RESOURCES: Final = 32
ASFF_RESOURCE_CHARACTERS: Final = 512
# https://docs.aws.amazon.com/securityhub/latest/userguide/asff-top-level-attributes.html
ASFF_REMEDIATION_CHARACTERS: Final = 512
ASFF_NOTE_CHARACTERS: Final = 512
ASFF_FIELD_CHARACTERS: Final = 2_048

# GitHub documents the length of a body in its error message only: "body is too long (maximum is 65536 characters)".
GITHUB_TITLE_CHARACTERS: Final = 256
GITHUB_BODY_CHARACTERS: Final = 65_536
GITHUB_LABEL_CHARACTERS: Final = 50

# https://support.atlassian.com/jira-cloud-administration/docs/configure-advanced-settings/
JIRA_SUMMARY_CHARACTERS: Final = 255
JIRA_TEXT_CHARACTERS: Final = 32_767
"""A description or a comment. We count the characters of its JSON, which are more than those of its text."""

# The lengths of the fields of an incident as ServiceNow delivers them. An instance may have others.
SERVICENOW_SHORT_DESCRIPTION_CHARACTERS: Final = 160
SERVICENOW_TEXT_CHARACTERS: Final = 4_000

FINDING_DOCUMENT: Final = 200_000
"""Our own limit on a finding's document: it fits an event, a queue message and, twice, a table item."""
CHECKPOINT: Final = 200_000
"""Our own limit on a checkpoint: with what is unknown it fits a table item."""
