"""What the parts of a document say about each other: ids that stand once, and names that exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.config.destinations import STACK_CHANNELS, STACK_TICKET_SYSTEMS
from permission_guard.config.forms import did_you_mean
from permission_guard.config.nodes import ListNode, MapNode, Scalar, quoted

if TYPE_CHECKING:
    from permission_guard.config.forms import Reading
    from permission_guard.config.nodes import Node


def require_references(document: Node, reading: Reading) -> None:
    """Report every id that an earlier entry has, and every name in a route that nothing has.

    They are found even if other keys have problems.
    """
    for name in ("exceptions", "routes"):
        _require_unique_ids(document, name, reading)
    channels = _keys(_value(document, "channels"))
    systems = _keys(_value(_value(document, "tickets"), "systems"))
    for index, route in enumerate(_items(_value(document, "routes"))):
        for name, where, known in (
            ("channels", "channels", [*channels, *STACK_CHANNELS]),
            ("tickets", "tickets.systems", [*systems, *STACK_TICKET_SYSTEMS]),
        ):
            for number, item in enumerate(_items(_value(route, name))):
                if isinstance(item, Scalar) and isinstance(item.value, str) and item.text not in known:
                    fix = did_you_mean(item.text, known) or f" Add it to {where}."
                    message = f"{where} has no {quoted(item.text)}.{fix}"
                    reading.add(item, f"routes[{index}].{name}[{number}]", message)


def _require_unique_ids(document: Node, name: str, reading: Reading) -> None:
    seen: dict[str, int] = {}
    for index, entry in enumerate(_items(_value(document, name))):
        found = _value(entry, "id")
        if not isinstance(found, Scalar) or found.value is None:
            continue
        first = seen.setdefault(found.text, index)
        if first != index:
            message = f"the id {quoted(found.text)} is also that of {name}[{first}]. Write another id."
            reading.add(found, f"{name}[{index}].id", message)


def _items(node: Node | None) -> tuple[Node, ...]:
    return node.items if isinstance(node, ListNode) else ()


def _keys(node: Node | None) -> list[str]:
    return [key.text for key, _ in node.entries if isinstance(key, Scalar)] if isinstance(node, MapNode) else []


def _value(node: Node | None, name: str) -> Node | None:
    entries = node.entries if isinstance(node, MapNode) else ()
    return next((value for key, value in entries if isinstance(key, Scalar) and key.text == name), None)
