"""Mistakes in a file in YAML or JSON have their line and column, and a sentence with the fix."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from permission_guard.config.document import GuardConfig, Trust
from permission_guard.config.keys import MAX_EXCEPTIONS
from permission_guard.config.nodes import MAX_BYTES, MAX_DEPTH, MAX_PROBLEMS
from permission_guard.config.read import config_of, read_config
from permission_guard.errors import ConfigurationDocumentError
from permission_guard.offline import configuration_file
from permission_guard.offline.configuration_file import compose_file, compose_yaml
from tests.paths import CASES

if TYPE_CHECKING:
    from pathlib import Path

NOW: Final = datetime(2026, 11, 29, 12, tzinfo=UTC)
MISTAKES: Final[list[dict[str, Any]]] = yaml.safe_load((CASES / "config" / "mistakes.yaml").read_text())
VALID: Final = sorted((CASES / "config").glob("*.valid.*"))
AT_LEAST: Final = 100


def config(text: str) -> GuardConfig:
    """Return the configuration of a text."""
    return config_of(compose_yaml(text), now=NOW, rejects_expired=True)


def mistakes(text: str) -> list[str]:
    """Return what is reported about a text."""
    with pytest.raises(ConfigurationDocumentError) as error:
        config(text)
    return [str(problem) for problem in error.value.problems]


@pytest.mark.parametrize("case", MISTAKES, ids=lambda case: case["name"])
def test_a_mistake_has_its_line_and_its_fix(case: dict[str, Any]) -> None:
    """Every mistake of the document is listed, in its order."""
    assert mistakes(case["document"]) == case["mistakes"]


def test_every_message_is_a_sentence_with_a_fix() -> None:
    """What is not there cannot be wrong."""
    assert len(MISTAKES) > AT_LEAST
    for case in MISTAKES:
        for mistake in case["mistakes"]:
            assert mistake.endswith((".", "?"))
            assert mistake.count(". ") + mistake.count("? ") >= 1, mistake


@pytest.mark.parametrize("parser", ["CSafeLoader", "SafeLoader"])
@pytest.mark.parametrize("path", VALID, ids=lambda path: path.name)
def test_a_valid_document_is_the_same_in_json(path: Path, parser: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With each parser of PyYAML, and as a Lambda function reads it."""
    monkeypatch.setattr(configuration_file, "_LOADER", getattr(yaml, parser))
    found = config_of(compose_file(path), now=NOW, rejects_expired=True)
    expected = json.loads((CASES / "config" / f"{path.name.split('.')[0]}.json").read_text())
    assert found == read_config(json.dumps(expected), now=NOW) != GuardConfig()


@pytest.mark.parametrize("text", ["", "\n# nothing yet\n", "---\n", "{}", "null"])
def test_an_empty_file_is_the_default_configuration(text: str) -> None:
    """With comments or without."""
    assert config(text) == GuardConfig()


def test_accounts_need_no_quotes() -> None:
    """A leading zero makes a number of base eight in YAML 1.1; here it is what is written."""
    found = config("trust: {accounts: [111122223333, 012345678901, '999999999999', 000000000000]}")
    assert found.trust == Trust(accounts=("111122223333", "012345678901", "999999999999", "000000000000"))


@pytest.mark.parametrize("subject", ["trust/shop-role/*", "statement/photos-?", "statement/p*", "function-url"])
def test_a_subject_that_names_something_narrows(subject: str) -> None:
    """Without a wildcard, or with one after a name."""
    entry = f"{{id: a, rules: [PG101], subject: {subject}, reason: r, owner: o, expires: 2027-01-31}}"
    assert config(f"exceptions: [{entry}]").exceptions[0].subject == subject


def test_blanks_around_an_owner_and_a_reason_are_removed() -> None:
    """Those that YAML and editors leave there, and those that nobody sees. A mark stays on its letter."""
    texts = r'owner: " team\n", reason: "\u3164why e\u0301\u2800"'
    entry = f"id: a, rules: [PG101], functions: [a], expires: 2027-01-31, {texts}"
    [found] = config(f"exceptions: [{{{entry}}}]").exceptions
    assert (found.owner, found.reason) == ("team", "why e\u0301")


def test_slashes_in_texts_are_no_comments() -> None:
    """In quotes or without, where JSON seems to be meant and where it is not."""
    entry = '{"functions": ["a"], "reason": "see https://x \\" // y"}'
    for text in (f'{{"exclusions": [{entry}],}}', f"{{exclusions: [{entry}]}}", f"exclusions: [{entry}]"):
        assert config(text).exclusions[0].reason == 'see https://x " // y'
    assert config("{exclusions: [{functions: [a], reason: a // b}]}").exclusions[0].reason == "a // b"


def test_values_of_tags_are_as_they_are_written() -> None:
    """A number would lose its zeros."""
    entry = "{id: a, rules: [PG107], tags: {1: 1.10, b: 007}, reason: r, owner: o, expires: 2027-01-31}"
    assert config(f"exceptions: [{entry}]").exceptions[0].tags == {"1": "1.10", "b": "007"}


def test_json_is_read_as_json() -> None:
    """Tabs, surrogate pairs and escaped slashes are JSON, and not YAML."""
    text = '{\n\t"exclusions": [{"functions": ["a\\/b"],\t"reason": "\\ud83d\\ude00 \\\\ud83d"}]}'
    assert mistakes(text)[0].startswith('2:32: exclusions[0].functions[0]: "a/b" is not valid here.')
    assert config(text.replace("\\/", "-")).exclusions[0].reason == "\N{GRINNING FACE} \\ud83d"


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    """Windows' editors write one."""
    path = tmp_path / "guard.yaml"
    path.write_bytes(b"\xef\xbb\xbfbaseline: digest\r\n")
    assert config_of(compose_file(path), now=NOW, rejects_expired=True) == GuardConfig()


def reported(path: Path) -> str:
    """Return the only mistake of a file."""
    with pytest.raises(ConfigurationDocumentError) as error:
        compose_file(path)
    [problem] = error.value.problems
    return str(problem)


def test_a_file_that_is_not_utf_8_has_the_place(tmp_path: Path) -> None:
    """UTF-16 and Latin-1 among them."""
    path = tmp_path / "guard.yaml"
    path.write_bytes("version: 1\n# für alle\n".encode("latin-1"))
    assert reported(path) == "2:4: the file is not UTF-8 text. Save it as UTF-8."
    path.write_bytes("version: 1\n".encode("utf-16"))
    assert reported(path) == "1:1: the file is not UTF-8 text. Save it as UTF-8."


def test_a_file_that_cannot_be_read_is_a_mistake(tmp_path: Path) -> None:
    """Absent, a folder, or too large."""
    assert reported(tmp_path / "absent.yaml") == "the file cannot be read: No such file or directory."
    assert reported(tmp_path) == "the file cannot be read: Is a directory."
    large = tmp_path / "large.yaml"
    large.write_text("#" * (MAX_BYTES + 1))
    assert reported(large) == "the document is larger than 1 MB. Remove what is not needed."


ENTRY: Final = "{id: %s, rules: [PG107], functions: [a], reason: r, owner: o, expires: 2027-01-31}"


def test_the_number_of_exceptions_is_bounded() -> None:
    """A thousand are read; more are not the work of people."""
    entries = [ENTRY % f"e{number}" for number in range(MAX_EXCEPTIONS + 1)]
    assert len(config(f"exceptions: [{', '.join(entries[1:])}]").exceptions) == MAX_EXCEPTIONS
    assert mistakes(f"exceptions: [{', '.join(entries)}]") == [
        "1:13: exceptions: the list has 1,001 exceptions. Write at most 1,000."
    ]


def test_the_number_of_tags_is_bounded() -> None:
    """A function has at most fifty."""
    tags = ", ".join(f"t{number}: a" for number in range(51))
    assert mistakes(f"exclusions: [{{tags: {{{tags}}}, reason: r}}]") == [
        "1:21: exclusions[0].tags: the mapping has 51 tags. Write at most 50."
    ]


def test_long_texts_are_mistakes() -> None:
    """What is quoted in the message is shortened."""
    long = ENTRY.replace("reason: r", f"reason: {'r' * 1001}") % ("a" * 65)
    assert [mistake.partition(": ")[2] for mistake in mistakes(f"exceptions: [{long}]")] == [
        "exceptions[0].id: the text has 65 characters. The limit is 64: shorten it.",
        "exceptions[0].reason: the text has 1,001 characters. The limit is 1,000: shorten it.",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 100_000,
        "a: " + "{b: " * 500,
        "? " * 1000,
        "\n".join(" " * depth + "a:" for depth in range(MAX_DEPTH + 5)),
        "- " * 500 + "a",
        "a: &a [*a]",
        "a: [" + "*b, " * 10_000 + "]",
        "version: " + "9" * 5_000,
        "version: 1e9999",
        "version: .nan",
        "version: 0x1",
        "a: !!binary x",
        "%TAG ! tag:x,2000:\n---\n!a b",
        '"\\ud800": 1',
        "\x00",
        "\x1b[2J",
        "a: |\n" + "\t\n" * 100,
        '{"a": "\\ud800"}',
        '"' + "a" * 100_000 + '": 1',
        "? |\n  a\n: b",
        "{a: 1, a: 1, ? : }",
        "'\n\n'''",
        "*",
        "&",
        "!",
        "%",
        "\ud800",
        "baseline: !<%1b[2J> digest",
        '{"' + '\\"' * 200_000,
        "{" + " " * 200_000,
        "{," + " /" * 200_000,
    ],
    ids=lambda text: repr(text[:20]),
)
def test_a_hostile_text_is_a_mistake(text: str) -> None:
    """Never a traceback, and never more mistakes than people read."""
    assert 1 <= len(mistakes(text)) <= MAX_PROBLEMS + 1
