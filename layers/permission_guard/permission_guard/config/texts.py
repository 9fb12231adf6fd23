"""The texts that a document may have: names, globs, ARNs, and what is wrong with one."""

from __future__ import annotations

import re
from typing import Final

from permission_guard.config.forms import Text
from permission_guard.config.nodes import quoted
from permission_guard.model.names import LONGEST_FUNCTION_NAME, LONGEST_QUALIFIER, ORGANIZATION_ID

_FUNCTION_ARN: Final = r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:[a-zA-Z0-9_.-]+"


def _function_mistake(text: str) -> str | None:
    """Return what is wrong with an ARN or with a glob that was meant as a regular expression."""
    if not text.startswith("arn:"):
        return _glob_mistake(text)
    if any(wildcard in text for wildcard in "*?"):
        return f"{quoted(text)} is an ARN with a wildcard. Write the function's name as a glob, and accounts apart."
    if re.fullmatch(rf"{_FUNCTION_ARN}:.+", text, re.ASCII):
        return f"{quoted(text)} has a qualifier. Write the ARN without it, and the qualifier under qualifiers."
    return None


def _glob_mistake(text: str) -> str | None:
    if not re.search(r"\.[*+]|[\[\](){}|^\\]|[$]\Z", text):
        return None
    return f"{quoted(text)} seems to be a regular expression. Write a glob: * is any characters, ? is one character."


def _qualifier_mistake(text: str) -> str | None:
    """Return what is wrong with a text that looks like a qualifier and is none that a function can have."""
    if text in {"LATEST", "$Latest", "$latest"}:
        return f"{quoted(text)} is not a qualifier. Write $LATEST."
    if re.fullmatch(r"0\d*|-\d+", text, re.ASCII):
        return f"{quoted(text)} is not a version: versions are numbers from 1. Write $LATEST, a version or an alias."
    return None


ACCOUNT: Final = Text(
    shape="an account ID of twelve digits, such as 111122223333",
    longest=12,
    pattern=r"\d{12}",
    bounds_length=True,
    takes_numbers=True,
)
ORGANIZATION: Final = Text(
    shape="the ID of an organization, such as o-exampleorgid",
    longest=ORGANIZATION_ID.longest,
    pattern=ORGANIZATION_ID.pattern,
    bounds_length=True,
)
FUNCTION: Final = Text(
    shape="a function name, a glob such as orders-*, or the ARN of a function",
    longest=256,
    pattern=rf"[a-zA-Z0-9_.*?-]{{1,{LONGEST_FUNCTION_NAME}}}|{_FUNCTION_ARN}",
    mistake=_function_mistake,
)
ROLE: Final = Text(
    shape="a role name or a glob such as orders-*, without the path",
    longest=64,
    pattern=r"[\w+=,.@*?-]+",
    mistake=_glob_mistake,
)
QUALIFIER: Final = Text(
    shape="$LATEST, the number of a version, or the name of an alias",
    longest=LONGEST_QUALIFIER,
    pattern=r"\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9_-]+",
    takes_numbers=True,
    mistake=_qualifier_mistake,
)
SUBJECT: Final = Text(
    shape="the subject of a finding, or a glob such as statement/photos-*", longest=1_000, mistake=_glob_mistake
)
SID: Final = Text(
    shape="the Sid of a statement, or a glob such as photos-*",
    longest=100,
    pattern=r"[a-zA-Z0-9_.*?-]+",
    mistake=_glob_mistake,
)
TAG_KEY: Final = Text(shape="the key of a tag", longest=128, takes_numbers=True)
TAG_VALUE: Final = Text(
    shape="the value of a tag, or a glob such as team-*", longest=256, takes_numbers=True, mistake=_glob_mistake
)
ID: Final = Text(
    shape="an id of lowercase letters, digits and hyphens, such as public-shop",
    longest=64,
    pattern="[a-z0-9-]{1,64}",
)
REASON: Final = Text(shape="a sentence that says why", longest=1_000, is_prose=True, is_for_people=True)
OWNER: Final = Text(shape="a person or team, such as team-payments", longest=200, is_for_people=True)
CALLER: Final = Text(
    shape="the ARN of a principal, or a glob such as arn:aws:sts::*:assumed-role/ci-deploy/*",
    longest=1_000,
    pattern=r"arn:aws[a-z-]*:(iam|sts)::[0-9*?]+:[!-~]+",
)
