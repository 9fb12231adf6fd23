"""Read files as people have them: JSON, or YAML with CloudFormation's short forms."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any, Final

from permission_guard.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

STDIN: Final = "-"


def read(path: Path) -> Any:
    """Return what a file holds, `-` for standard input; InputError when that is neither JSON nor YAML."""
    try:
        content = sys.stdin.read() if str(path) == STDIN else path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"it cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError("it is not text in UTF-8") from error
    try:
        return json.loads(content)
    except ValueError as error:
        if content.lstrip()[:1] in {"{", "["} and "\n" not in content.strip():
            raise InputError(f"it is not JSON: {error}") from error
    except RecursionError as error:
        raise InputError("it is nested too deeply") from error
    return _yaml(content)


def _yaml(content: str) -> Any:
    """Read YAML as CloudFormation does: dates and numbers with leading zeros are texts, tags are functions."""
    try:
        import yaml  # noqa: PLC0415 - JSON is read without it
    except ModuleNotFoundError as error:
        raise InputError("YAML needs PyYAML: pip install 'permission-guard[cli]'") from error

    class Loader(yaml.SafeLoader):
        """A loader of its own, so that nobody else's is changed."""

        yaml_implicit_resolvers = {  # noqa: RUF012 - as in the class above
            first: [
                (tag, pattern)
                for tag, pattern in resolvers
                if tag not in {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int"}
            ]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    def construct(loader: Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
        value: Any
        if isinstance(node, yaml.ScalarNode):
            value = loader.construct_scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            value = loader.construct_sequence(node, deep=True)
        elif isinstance(node, yaml.MappingNode):
            value = loader.construct_mapping(node, deep=True)
        else:
            raise yaml.YAMLError(f"!{suffix} has no value")
        if suffix == "GetAtt" and isinstance(value, str):
            value = value.split(".", 1)
        return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}

    Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"-?(?:0|[1-9][0-9]*)$"), list("-0123456789"))
    Loader.add_multi_constructor("!", construct)
    try:
        return yaml.load(content, Loader=Loader)  # noqa: S506 - a subclass of SafeLoader
    except yaml.YAMLError as error:
        said = " ".join(str(error).split())
        raise InputError(f"it is neither JSON nor YAML: {said}") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"it is neither JSON nor YAML: {error}") from error
