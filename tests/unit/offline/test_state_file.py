"""A state file has everything that the rules read: a scan of it would give the same verdicts."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.errors import InputError
from permission_guard.iam.documents import parse_policy, unread_policy
from permission_guard.model.state import Function, ResourcePolicy, Snapshot, Unread
from permission_guard.model.targets import Direction
from permission_guard.offline.state_file import StateWriter, read_state
from tests.fakes import ROLE_ARN, TARGET, a_function, a_role, polling
from tests.rule_cases import RULE_CASES, snapshot_of

if TYPE_CHECKING:
    from pathlib import Path

    from permission_guard.offline.state_file import SavedFunction, SavedState

SAVED_AT = "2026-11-20T10:15:30+00:00"


def saved(path: Path, *snapshots: Snapshot, tags: Any = None) -> SavedState:
    """Return what is read of a file with these snapshots of one direction."""
    with StateWriter(path) as writer:
        for number, snapshot in enumerate(snapshots):
            writer.add(replace(TARGET, name=f"f{number:04}"), {Direction.INVOKE_POLICY: snapshot}, tags)
        writer.finish(saved_at=SAVED_AT, is_complete=True, places=[("123456789012", "us-east-1")])
    return read_state(path)


def only(state: SavedState) -> SavedFunction:
    """Return the only function of a state."""
    (found,) = state.functions
    return found


@pytest.mark.parametrize("name", ["state.json", "state.json.gz"])
def test_every_case_of_every_rule_is_read_as_it_was_saved(tmp_path: Path, name: str) -> None:
    """Of every kind of state that a rule depends on there is a case."""
    snapshots = [snapshot_of(json.loads(path.read_text())) for path in RULE_CASES]
    found = saved(tmp_path / name, *snapshots)
    assert [one.snapshots[Direction.INVOKE_POLICY] for one in found.functions] == snapshots
    assert len(snapshots) > 100


def test_a_name_that_ends_in_gz_is_compressed(tmp_path: Path) -> None:
    """Any other is plain JSON, which people can read."""
    for name in ("state.json", "state.json.gz"):
        saved(tmp_path / name, polling(a_role()))
    assert gzip.decompress((tmp_path / "state.json.gz").read_bytes()) == (tmp_path / "state.json").read_bytes()
    assert json.loads((tmp_path / "state.json").read_text())["version"] == 1


def test_what_snapshots_share_is_written_once_and_read_as_one_record(tmp_path: Path) -> None:
    """A role that a thousand functions use takes the room of one."""
    one, other = saved(tmp_path / "state.json", polling(a_role()), polling(a_role())).functions
    roles = [each.snapshots[Direction.INVOKE_POLICY].roles[ROLE_ARN] for each in (one, other)]
    assert roles[0] is roles[1]
    assert (tmp_path / "state.json").read_text().count('"$":"Role"') == 1


def test_no_environment_variable_is_written(tmp_path: Path) -> None:
    """They can be secrets, and a reader could have kept them."""
    secret = {"Environment": {"Variables": {"PASSWORD": "hunter2"}}, "Runtime": "python3.13"}
    function = replace(a_function(), configuration=secret)
    found = only(saved(tmp_path / "state.json", Snapshot(TARGET, function)))
    assert "hunter2" not in (tmp_path / "state.json").read_text()
    read = found.snapshots[Direction.INVOKE_POLICY].function
    assert isinstance(read, Function)
    assert read.configuration == {"Runtime": "python3.13"}


def test_tags_and_what_could_not_be_read_are_kept(tmp_path: Path) -> None:
    """Unread is not none: a verdict that depends on it is unknown."""
    unread = Unread("lambda:GetPolicy", "AccessDeniedException", "no", denied=True)
    snapshot = Snapshot(TARGET, a_function(), resource_policies=(unread,))
    for tags in ({"team": "shop", "$": "x", "$ref": "0"}, unread, None, {}):
        found = only(saved(tmp_path / "state.json", snapshot, tags=tags))
        assert found.tags == tags
        assert found.snapshots[Direction.INVOKE_POLICY] == snapshot


@pytest.mark.parametrize(
    "policy",
    [
        unread_policy("orders", "the document is not JSON"),
        parse_policy('{"Statement": [], "Statement": []}', name="orders"),
        parse_policy({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": 7}]}, name="orders"),
    ],
)
def test_a_policy_that_is_not_valid_stays_so(tmp_path: Path, policy: Any) -> None:
    """One that cannot be read can allow anything."""
    snapshot = Snapshot(TARGET, a_function(), resource_policies=(ResourcePolicy(TARGET.arn, None, policy),))
    found = only(saved(tmp_path / "state.json", snapshot)).snapshots[Direction.INVOKE_POLICY].resource_policies[0]
    assert isinstance(found, ResourcePolicy)
    assert found.document.unreadable == policy.unreadable
    assert found.document.problems == policy.problems


def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    """It has the policies of an account."""
    saved(tmp_path / "state.json")
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600


def test_a_scan_that_fails_leaves_no_file(tmp_path: Path) -> None:
    """Nor does it replace the one of an earlier scan."""
    path = tmp_path / "state.json"
    saved(path)
    before = path.read_text()
    with pytest.raises(ZeroDivisionError), StateWriter(path):
        raise ZeroDivisionError
    assert path.read_text() == before
    assert [one.name for one in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a state file of `permission-guard scan --save`, or damaged"),
        (b"\x1f\x8b\x08\x00broken", "or damaged"),
        (b"[]", "not a state file"),
        (b'{"format": "permission-guard state", "version": 2}', "version 2 of the state file"),
        (b'{"format": "permission-guard state", "version": 1}', "the state file is damaged: KeyError"),
        (
            b"""{"format": "permission-guard state", "version": 1, "shared": [], "saved_at": "", "is_complete": true,
            "functions": [{"arn": "arn:aws:lambda:us-east-1:123456789012:function:a", "tags": null,
            "snapshots": {"invoke_policy": {"$ref": 7}}}]}""",
            "the state file is damaged: IndexError",
        ),
    ],
)
def test_a_file_that_is_none_is_refused_in_plain_words(tmp_path: Path, content: bytes, message: str) -> None:
    """Whatever somebody gives to `--state`."""
    path = tmp_path / "state.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_state(path)


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """With the reason of the operating system."""
    with pytest.raises(InputError, match="absent: the file cannot be read: No such file"):
        read_state(tmp_path / "absent")
