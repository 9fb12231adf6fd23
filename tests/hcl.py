"""A strict reader of what remedies use of Terraform's language: anything that Terraform would evaluate fails."""

from __future__ import annotations

import json
import re
from typing import Any

_HEAD = re.compile(r'resource "(?P<kind>[a-z_]+)" "(?P<name>[A-Za-z_][\w-]*)" \{\n', re.ASCII)
_ARGUMENT = re.compile(r"  (?P<name>[a-z_]+) *= ", re.ASCII)
_CALL = re.compile(r"jsonencode\(")
_EXPRESSION = re.compile(r"aws_iam_role\.[a-z]\w*\.(?:name|arn)|true", re.ASCII)
_CHANGE = re.compile(r"# In the existing (?P<kind>[a-z_]+) of [^\n]+, set:\n", re.ASCII)
_STRING = re.compile(r'"((?:[^"\\\x00-\x1f\x7f-\U0010ffff]|\\["\\]|\\u[0-9a-f]{4}|\\U[0-9a-f]{8})*)"')
_ESCAPE = re.compile(r'\\(["\\])|\\u([0-9a-f]{4})|\\U([0-9a-f]{8})')
_SPACE = re.compile(r"[\s]*")


def blocks(text: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Return kind, name and arguments of each resource; comments between the blocks are skipped.

    The arguments for a resource that exists have no name.
    """
    found, at = [], 0
    while at < len(text):
        if change := _CHANGE.match(text, at):
            lines = "".join(f"  {line}\n" for line in text[change.end() :].split("\n"))
            arguments, _ = _arguments(f"{lines}}}", 0)
            found.append((change["kind"], "", arguments))
            return found
        if text[at] in "#\n":
            at = (text.find("\n", at) + 1) or len(text)
            continue
        head = _HEAD.match(text, at)
        assert head, text[at : at + 80]
        arguments, at = _arguments(text, head.end())
        found.append((head["kind"], head["name"], arguments))
    return found


def _arguments(text: str, at: int) -> tuple[dict[str, Any], int]:
    arguments: dict[str, Any] = {}
    while not text.startswith("}", at):
        argument = _ARGUMENT.match(text, at)
        assert argument, text[at : at + 80]
        value, at = _value(text, argument.end())
        assert argument["name"] not in arguments
        assert text.startswith("\n", at), text[at : at + 80]
        arguments[argument["name"]] = value
        at += 1
    return arguments, at + 1


def _value(text: str, at: int) -> tuple[Any, int]:
    if call := _CALL.match(text, at):
        value, at = _json(text, call.end())
        assert text.startswith(")", at), text[at : at + 80]
        return value, at + 1
    if expression := _EXPRESSION.match(text, at):
        return expression[0], expression.end()
    return _json(text, at)


def _json(text: str, at: int) -> tuple[Any, int]:
    """Read an object, a list, a string or a constant."""
    at = _skip(text, at)
    if text[at] == '"':
        return _string(text, at)
    if text[at] in "{[":
        return _items(text, at)
    constant = re.compile(r"true|false|null|-?\d+(?:\.\d+)?").match(text, at)
    assert constant, text[at : at + 80]
    return json.loads(constant[0]), constant.end()


def _items(text: str, at: int) -> tuple[Any, int]:
    is_object, end = text[at] == "{", "}" if text[at] == "{" else "]"
    keys, values = [], []
    at = _skip(text, at + 1)
    while text[at] != end:
        if is_object:
            key, at = _string(text, at)
            keys.append(key)
            assert text.startswith(":", at), text[at : at + 80]
            at += 1
        value, at = _json(text, at)
        values.append(value)
        at = _skip(text, at)
        assert text[at] in "," + end, text[at : at + 80]
        at = _skip(text, at + 1) if text[at] == "," else at
    return dict(zip(keys, values, strict=True)) if is_object else values, at + 1


def _string(text: str, at: int) -> tuple[str, int]:
    literal = _STRING.match(text, at)
    assert literal, text[at : at + 80]
    content = literal[1].replace("$${", "\0$").replace("%%{", "\0%")
    assert "${" not in content, literal[0]
    assert "%{" not in content, literal[0]
    plain = _ESCAPE.sub(lambda match: match[1] or chr(int(match[2] or match[3], 16)), content)
    return plain.replace("\0$", "${").replace("\0%", "%{"), literal.end()


def _skip(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]
