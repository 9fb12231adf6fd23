"""Find the files that the arguments of `check` name: files, folders, patterns and standard input."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from permission_guard.offline.input_file import STDIN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SUFFIXES: Final = frozenset({".cfn", ".json", ".template", ".yaml", ".yml"})
_NOT_ENTERED: Final = frozenset({"__pycache__", "node_modules"})
_SIGNS: Final = (b"AWS::", b":lambda:")


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file to check. `named` is false if it was found in a folder or by a pattern, and so need not be a template."""

    path: Path
    named: bool


def input_files(arguments: Sequence[Path]) -> tuple[list[InputFile], list[tuple[str, str]]]:
    """Return each file once, and the arguments that name none, each with the reason."""
    files: dict[str, InputFile] = {}
    problems = []
    for argument in arguments:
        found = list(_files(argument))
        if not found:
            problem = "no JSON or YAML file in this folder" if argument.is_dir() else "no file matches this pattern"
            problems.append((str(argument), problem))
        for file in found:
            key = STDIN if str(file.path) == STDIN else str(file.path.absolute())
            files[key] = file if file.named else files.get(key, file)
    return list(files.values()), problems


def may_be_template(path: Path, limit: int) -> bool:
    """Return whether the beginning of a file mentions resources of AWS."""
    try:
        with path.open("rb") as file:
            beginning = file.read(limit)
    except OSError:
        return True
    return any(sign in beginning for sign in _SIGNS)


def _files(argument: Path) -> Iterator[InputFile]:
    if argument.is_dir():
        yield from (InputFile(path, named=False) for path in _in_folder(argument))
    elif glob.has_magic(str(argument)) and not argument.exists():
        for match in sorted(glob.glob(str(argument), recursive=True)):  # noqa: PTH207 - a pattern can be absolute
            path = Path(match)
            yield from (InputFile(one, named=False) for one in (_in_folder(path) if path.is_dir() else [path]))
    else:
        yield InputFile(argument, named=True)


def _in_folder(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and its subfolders, without those that begin with a dot."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _NOT_ENTERED)
        for name in sorted(names):
            path = Path(root, name)
            if path.suffix.lower() in _SUFFIXES and not name.startswith(".") and path.is_file():
                yield path
