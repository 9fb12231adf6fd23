"""How long each handler takes to import, as a ratio to boto3 and Powertools' Logger alone: `make bench-cold-start`.

Every measurement is a fresh interpreter. It sees the standard library, the handler, both built layers in one folder, as
Lambda unpacks them, and a bare boto3, and nothing else of the environment. The base and the handlers are taken in turn
and the fastest of each counts, since machines are noisy. Once with bytecode at hand, once without: a layer is shipped
as source, and Lambda cannot write beside it.
"""

from __future__ import annotations

import compileall
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / ".aws-sam" / "build"
LAYERS = ("PermissionGuardLayer", "SendersLayer")
TARGET = 1.3
_ROUNDS = 9
_BASE = "import boto3; from aws_lambda_powertools import Logger"
_RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six")


def bare_boto3(folder: Path) -> Path:
    """Put what Lambda's runtime brings, and no more, into a folder."""
    folder.mkdir()
    for name in _RUNTIME:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise SystemExit(f"{name} is missing: run `make setup`")
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        (folder / source.name).symlink_to(source)
    return folder


def milliseconds(statement: str, *paths: Path) -> float:
    """Return how long a statement takes in a fresh interpreter that sees only these paths."""
    program = f"import sys, time; sys.path += {[str(path) for path in paths]!r}; begin = time.perf_counter(); "
    program += f"{statement}; print((time.perf_counter() - begin) * 1000)"
    interpreter = Path(sys.base_prefix) / "bin" / "python3"
    command = [str(interpreter), "-I", "-S", "-B", "-c", program]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def measure(title: str, layers: Path, runtime: Path, handlers: Path) -> float:
    """Print one table and return its worst ratio."""
    names = sorted(path.name for path in handlers.iterdir())
    base, fastest = float("inf"), dict.fromkeys(names, float("inf"))
    for _ in range(_ROUNDS):
        base = min(base, milliseconds(_BASE, layers, runtime))
        for name in names:
            fastest[name] = min(fastest[name], milliseconds("import app", layers, runtime, handlers / name))
    print(f"{title}: boto3 and Logger {base:.0f} ms")
    for name, took in fastest.items():
        print(f"  {name:<24} {took:6.0f} ms  {took / base:5.2f} x")
    return max(fastest.values()) / base


def main() -> int:
    """Print both tables; return 1 when a handler misses the target with bytecode at hand."""
    if not all((BUILD / layer).exists() for layer in LAYERS):
        raise SystemExit("the layers are not built: run `make build`")
    with tempfile.TemporaryDirectory() as scratch:
        runtime = bare_boto3(Path(scratch) / "runtime")
        source, compiled = Path(scratch) / "source", Path(scratch) / "compiled"
        ignore = shutil.ignore_patterns("__pycache__")
        for copy in (source, compiled):
            for layer in LAYERS:
                shutil.copytree(BUILD / layer / "python", copy / "layers", ignore=ignore, dirs_exist_ok=True)
            shutil.copytree(ROOT / "functions", copy / "functions", ignore=ignore)
        compileall.compile_dir(compiled, quiet=1)
        worst = measure("with bytecode", compiled / "layers", runtime, compiled / "functions")
        measure("source only", source / "layers", runtime, source / "functions")
    return int(worst > TARGET)


if __name__ == "__main__":
    sys.exit(main())
