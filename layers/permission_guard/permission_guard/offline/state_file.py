"""Keep the state that a scan read in a file, and read it again: versioned JSON, compressed if its name ends in `.gz`.

Functions are written as they are evaluated, so that the memory does not grow with their number. What many snapshots
have in common, such as inventories, roles and policies, is written once, at the end.
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import MISSING, Field
from dataclasses import fields as fields_of
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Self

from permission_guard import __version__
from permission_guard.errors import UNREADABLE, InputError
from permission_guard.iam.documents import Policy, parse_policy
from permission_guard.model import state
from permission_guard.model.arns import parse_function_arn
from permission_guard.model.documents import known_fields
from permission_guard.model.identities import AccountIdentities, Identity
from permission_guard.model.targets import Direction, FunctionTarget
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from types import TracebackType

    from permission_guard.model.targets import JSON

FORMAT: Final = "permission-guard state"
VERSION: Final = 1

_RECORDS: Final[dict[str, type[Any]]] = {
    one.__name__: one
    for one in (
        AccountIdentities,
        FunctionTarget,
        Identity,
        state.EventInvokeConfig,
        state.EventSourceMapping,
        state.Function,
        state.FunctionUrl,
        state.Inventory,
        state.ResourcePolicy,
        state.Role,
        state.Snapshot,
        state.SourceState,
        state.Trigger,
        state.Unread,
        state.DeniedCall,
    )
}
_SHARED: Final = ("Inventory", "Role", "Policy")
_AS_RETURNED: Final = "configuration"
"""The field with JSON as AWS returned it."""
_VARIABLES: Final = "Environment"
"""The member with the environment variables, which can be secrets. No reader keeps it."""
_DEFAULTS: Final[dict[type[Any], Mapping[str, object]]] = {}
_TYPE, _REFERENCE, _ENTRIES, _SET = "$", "$ref", "entries", "set"


@record(kw_only=True)
class SavedFunction:
    """What a scan read of one function. `tags` are None if they were not read."""

    target: FunctionTarget
    tags: Mapping[str, str] | state.Unread | None
    snapshots: Mapping[Direction, state.Snapshot]


@record(kw_only=True)
class SavedState:
    """What a scan read. `saved_at` is ISO-8601 in UTC; `is_complete` is false if something was not read.

    `identities` are the roles and users of accounts, one record for each account.
    """

    saved_at: str
    is_complete: bool
    functions: tuple[SavedFunction, ...]
    identities: tuple[AccountIdentities, ...] = ()


class StateWriter:
    """Writes a state file. The file appears under its name when all of it is written.

    Use it in a `with` block. `add` may be called by several threads. OSError if the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name}.part")
        self._lock = Lock()
        self._shared: list[JSON] = []
        self._references: dict[str, int] = {}
        self._identities: list[JSON] = []
        self._count = 0
        self._is_finished = False

    def __enter__(self) -> Self:
        # Only the owner may read it: policies and names say much about an account.
        descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        raw = os.fdopen(descriptor, "wb")
        self._file = gzip.GzipFile("", "wb", fileobj=raw) if self._path.name.endswith(".gz") else raw
        self._raw = raw
        self._write(f'{{"format": {json.dumps(FORMAT)}, "version": {VERSION},\n"functions": [')
        return self

    def add(
        self,
        target: FunctionTarget,
        snapshots: Mapping[Direction, state.Snapshot],
        tags: Mapping[str, str] | state.Unread | None,
    ) -> None:
        """Write what was read of one function."""
        with self._lock:
            document = {
                "arn": target.arn,
                "tags": self._encoded(tags),
                "snapshots": {str(direction): self._encoded(one) for direction, one in snapshots.items()},
            }
            self._write(f"{',' if self._count else ''}\n{_text(document)}")
            self._count += 1

    def add_identities(self, identities: AccountIdentities) -> None:
        """Keep the roles and users of an account. They are written at the end."""
        with self._lock:
            self._identities.append(self._encoded(identities))

    def finish(self, *, saved_at: str, is_complete: bool, places: Iterable[tuple[str, str]]) -> None:
        """Write the end of the file, and give it its name. `places` are accounts and regions."""
        rest = {
            "identities": self._identities,
            "shared": self._shared,
            "saved_at": saved_at,
            "is_complete": is_complete,
            "permission_guard": __version__,
            "places": [{"account": account, "region": region} for account, region in places],
        }
        self._write(f"\n],\n{_text(rest)[1:]}\n")
        self._close()
        self._part.replace(self._path)
        self._is_finished = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._is_finished:
            self._close()
            self._part.unlink(missing_ok=True)

    def _write(self, text: str) -> None:
        self._file.write(text.encode())

    def _close(self) -> None:
        self._file.close()
        self._raw.close()

    def _encoded(self, value: object) -> JSON:
        if isinstance(value, Policy):
            return self._reference(_encoded_policy(value))
        if type(value).__name__ in _RECORDS:
            encoded = {_TYPE: type(value).__name__, **dict(self._fields(value))}
            return self._reference(encoded) if encoded[_TYPE] in _SHARED else encoded
        if isinstance(value, (set, frozenset)):
            return {_TYPE: _SET, "items": [self._encoded(one) for one in sorted(value)]}
        if isinstance(value, (list, tuple)):
            return [self._encoded(one) for one in value]
        if isinstance(value, Mapping):
            pairs = {str(name): self._encoded(one) for name, one in value.items()}
            return {_TYPE: _ENTRIES, "items": list(pairs.items())} if pairs.keys() & {_TYPE, _REFERENCE} else pairs
        return value

    def _fields(self, value: Any) -> Iterable[tuple[str, JSON]]:
        """Yield the fields that differ from their defaults."""
        for name, default in _defaults(type(value)).items():
            found = getattr(value, name)
            if name == _AS_RETURNED:
                yield name, {key: item for key, item in found.items() if key != _VARIABLES}
            elif found != default:
                yield name, self._encoded(found)

    def _reference(self, encoded: JSON) -> JSON:
        text = _text(encoded)
        if text not in self._references:
            self._references[text] = len(self._shared)
            self._shared.append(encoded)
        return {_REFERENCE: self._references[text]}


def read_state(path: Path) -> SavedState:
    """Read a state file. InputError if it is none, is damaged, or is of a newer version."""
    try:
        content = path.read_bytes()
        document = json.loads(gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content)
    except OSError as error:
        raise InputError(f"{path}: the file cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError, zlib.error, RecursionError):
        raise InputError(f"{path}: not a state file of `permission-guard scan --save`, or damaged") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InputError(f"{path}: not a state file of `permission-guard scan --save`")
    if document.get("version") != VERSION:
        raise InputError(
            f"{path}: version {document.get('version')} of the state file; this permission-guard reads {VERSION}. "
            "Save the state again, or use the permission-guard that saved it."
        )
    try:
        return _state(document)
    except UNREADABLE as error:
        raise InputError(f"{path}: the state file is damaged: {type(error).__name__}") from None


def _state(document: Mapping[str, JSON]) -> SavedState:
    decoder = _Decoder(document["shared"])
    functions = [
        SavedFunction(
            target=parse_function_arn(one["arn"])[0],
            tags=decoder.decoded(one["tags"]),
            snapshots={Direction(name): decoder.decoded(item) for name, item in one["snapshots"].items()},
        )
        for one in document["functions"]
    ]
    return SavedState(
        saved_at=document["saved_at"],
        is_complete=document["is_complete"] is True,
        functions=tuple(sorted(functions, key=lambda one: one.target)),
        identities=tuple(decoder.decoded(one) for one in document.get("identities", [])),
    )


class _Decoder:
    """Makes records of what `StateWriter` encoded. Each shared part becomes one record."""

    def __init__(self, shared: Sequence[JSON]) -> None:
        self._shared = shared
        self._records: dict[int, Any] = {}

    def decoded(self, value: JSON) -> Any:
        if isinstance(value, list):
            return tuple(self.decoded(one) for one in value)
        if not isinstance(value, dict):
            return value
        if _REFERENCE in value:
            return self._referred(value[_REFERENCE])
        if _TYPE in value:
            return self._typed(value[_TYPE], value)
        return {name: self.decoded(one) for name, one in value.items()}

    def _referred(self, number: int) -> Any:
        if number not in self._records:
            self._records[number] = self.decoded(self._shared[number])
        return self._records[number]

    def _typed(self, kind: str, value: Mapping[str, JSON]) -> Any:
        if kind == _SET:
            return frozenset(self.decoded(value["items"]))
        if kind == _ENTRIES:
            return {name: self.decoded(one) for name, one in value["items"]}
        if kind == "Policy":
            return _decoded_policy(value)
        return self._record(_RECORDS[kind], value)

    def _record(self, cls: type[Any], value: Mapping[str, JSON]) -> Any:
        known = _defaults(cls)
        given = {
            name: one if name == _AS_RETURNED else self.decoded(one) for name, one in value.items() if name in known
        }
        return cls(**known_fields(cls, given))


def _encoded_policy(policy: Policy) -> JSON:
    encoded = {_TYPE: "Policy", "name": policy.name, "document": policy.document}
    return {**encoded, "unreadable": list(policy.problems)} if policy.unreadable else encoded


def _decoded_policy(value: Mapping[str, JSON]) -> Policy:
    if "unreadable" in value:  # keys that appear twice are not in the document any more
        return Policy(value["name"], value["document"], (), tuple(value["unreadable"]), unreadable=True)
    return parse_policy(value["document"], name=value["name"])


def _defaults(cls: type[Any]) -> Mapping[str, object]:
    """Return the fields of a record with their defaults. A field without one equals nothing."""
    if cls not in _DEFAULTS:
        _DEFAULTS[cls] = {one.name: _default(one) for one in fields_of(cls)}
    return _DEFAULTS[cls]


def _default(one: Field[Any]) -> object:
    return one.default if one.default_factory is MISSING else one.default_factory()


def _text(document: JSON) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=str)
