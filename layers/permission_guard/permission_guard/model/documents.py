"""Read records from JSON documents: another version may have written them, or others may have damaged them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from permission_guard.model.targets import JSON

MAX_DEPTH: Final = 32
"""How deeply the values of a record may be nested, as in DynamoDB: whatever is read can also be written."""


def known_fields(cls: type, document: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the fields of a record that a document has. TypeError if one has another type than the record's.

    Unknown fields are ignored, so that this version can read the documents of a newer one. The types of other records
    and of enums are not checked: their constructors do.
    """
    if not isinstance(document, Mapping):
        raise TypeError(f"{cls.__name__} is a {type(document).__name__}, not an object")
    fields = {name: document[name] for name in cls.__annotations__ if name in document}
    for name, value in fields.items():
        has_type = _TYPES.get(cls.__annotations__[name])
        if has_type is not None and not has_type(value):
            raise TypeError(f"{cls.__name__}.{name} is not a valid {cls.__annotations__[name]}: {type(value).__name__}")
    return fields


def as_document(record: Any) -> Any:
    """Return a record as a document has it, with objects for the records in it.

    `dataclasses.asdict` returns the same and takes several times as long: it also copies texts and numbers.
    """
    cls = type(record)
    if cls is str:
        return record
    if cls is dict:
        return {key: as_document(value) for key, value in record.items()}
    if cls is tuple or cls is list:
        return cls(map(as_document, record))
    fields = getattr(cls, "__dataclass_fields__", ())
    return {name: as_document(getattr(record, name)) for name in fields} if fields else record


def _is_text(value: JSON) -> bool:
    return isinstance(value, str)


def _is_list(value: JSON) -> bool:
    return isinstance(value, list | tuple)


def _is_object(value: JSON) -> bool:
    return isinstance(value, Mapping) and _depth_is_at_most(value, MAX_DEPTH)


def _depth_is_at_most(value: JSON, depth: int) -> bool:
    if not isinstance(value, Mapping | list | tuple):
        return True
    parts = value.values() if isinstance(value, Mapping) else value
    return depth > 0 and all(_depth_is_at_most(part, depth - 1) for part in parts)


# By annotation: in these records, annotations are text.
_TYPES: Final[dict[Any, Callable[[JSON], bool]]] = {
    "str": _is_text,
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "Mapping[str, JSON]": _is_object,
    "Mapping[str, str]": lambda value: _is_object(value) and all(map(_is_text, value.values())),
    "tuple[str, ...]": lambda value: _is_list(value) and all(map(_is_text, value)),
    "tuple[Remedy, ...]": _is_list,
    "tuple[PastTransition, ...]": _is_list,
    "tuple[PlannedCall, ...]": _is_list,
    "tuple[RevertedFix, ...]": _is_list,
}
