"""A table like the findings table, and what the contracts do with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.contracts.implementations import unique
from tests.stack_tables import TABLE

if TYPE_CHECKING:
    from tests.contracts.implementations import Aws

    Item = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A table of an implementation."""

    aws: Aws
    name: str
    stream: str

    @property
    def dynamodb(self) -> Any:
        """Return the client."""
        return self.aws.client("dynamodb")

    def put(self, item: Item, condition: str = "", **more: Any) -> None:
        """Put an item."""
        given = {"ConditionExpression": condition} if condition else {}
        self.dynamodb.put_item(TableName=self.name, Item=item, **given, **more)

    def update(self, key: Item, expression: str, condition: str = "", **more: Any) -> Item:
        """Update an item; return what it is now."""
        given = {"ConditionExpression": condition} if condition else {}
        request = {"TableName": self.name, "Key": key, "UpdateExpression": expression, "ReturnValues": "ALL_NEW"}
        attributes: Item = self.dynamodb.update_item(**request, **given, **more)["Attributes"]
        return attributes

    def get(self, key: Item) -> Item | None:
        """Read an item consistently."""
        found: Item | None = self.dynamodb.get_item(TableName=self.name, Key=key, ConsistentRead=True).get("Item")
        return found

    def query(self, condition: str, **more: Any) -> list[Item]:
        """Query items."""
        request = {"TableName": self.name, "KeyConditionExpression": condition}
        items: list[Item] = self.dynamodb.query(**request, **more)["Items"]
        return items

    def transact(self, *actions: Item) -> None:
        """Write several items; each action gets the table's name."""
        named = [{kind: {"TableName": self.name, **one} for kind, one in action.items()} for action in actions]
        self.dynamodb.transact_write_items(TransactItems=named)

    def records(self) -> list[dict[str, Any]]:
        """Return every record of the stream, in the order of each shard."""
        streams, found = self.aws.client("dynamodbstreams"), list[dict[str, Any]]()
        for shard in streams.describe_stream(StreamArn=self.stream)["StreamDescription"]["Shards"]:
            request = {"StreamArn": self.stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
            iterator = streams.get_shard_iterator(**request)["ShardIterator"]
            while (page := streams.get_records(ShardIterator=iterator))["Records"]:
                found += page["Records"]
                iterator = page["NextShardIterator"]
        return found

    def changes(self) -> list[tuple[str, Item | None, Item | None]]:
        """Return each record's name, old and new image."""
        images = ((one["eventName"], one["dynamodb"]) for one in self.records())
        return [(name, images.get("OldImage"), images.get("NewImage")) for name, images in images]


def make_table(aws: Aws) -> Table:
    """Make a table."""
    made = aws.client("dynamodb").create_table(**{**TABLE, "TableName": unique("table")})["TableDescription"]
    return Table(aws, made["TableName"], made["LatestStreamArn"])


def key(sk: str, pk: str = "FUNCTION#orders") -> Item:
    """Return a key."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def values(**values: Any) -> dict[str, Any]:
    """Return the values of an expression: texts, numbers, and sets of texts."""
    return {"ExpressionAttributeValues": {f":{name}": value(one) for name, one in values.items()}}


def value(of: Any) -> dict[str, Any]:
    """Return a text, a number or a set of texts as an attribute."""
    if isinstance(of, str):
        return {"S": of}
    return {"SS": sorted(of)} if isinstance(of, set) else {"N": str(of)}


def item(sk: str, pk: str = "FUNCTION#orders", **attributes: Any) -> Item:
    """Return an item."""
    return {**key(sk, pk), **{name: value(one) for name, one in attributes.items()}}
