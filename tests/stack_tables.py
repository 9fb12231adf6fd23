"""The tables of the stack, as template.yaml has them, for tests that create one."""

from __future__ import annotations

from typing import Any

TABLE_NAME = "findings"
TABLE: dict[str, Any] = {
    "TableName": TABLE_NAME,
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "status", "changed_at")
    ],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by-status",
            "KeySchema": [
                {"AttributeName": "status", "KeyType": "HASH"},
                {"AttributeName": "changed_at", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        },
    ],
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
}
DELIVERIES_TABLE: dict[str, Any] = {
    "TableName": "deliveries",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("finding_id", "channel")],
    "KeySchema": [
        {"AttributeName": "finding_id", "KeyType": "HASH"},
        {"AttributeName": "channel", "KeyType": "RANGE"},
    ],
}
DECISIONS_TABLE: dict[str, Any] = {
    "TableName": "decisions",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [
        {"AttributeName": "finding_id", "AttributeType": "S"},
        {"AttributeName": "revision", "AttributeType": "N"},
    ],
    "KeySchema": [
        {"AttributeName": "finding_id", "KeyType": "HASH"},
        {"AttributeName": "revision", "KeyType": "RANGE"},
    ],
}
