"""Run Chromium without a window and without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

PROGRAM: Final = "chromium"
MISSING: Final = (
    "Chromium is missing, or its fonts are. On Debian: "
    "apt-get install chromium fontconfig fonts-liberation fonts-dejavu-core"
)
FONTS: Final = ("Liberation Sans", "DejaVu Sans Mono")
"""The fonts of the pages, so that a picture is the same on each machine."""

SCALE: Final = 2
_SECONDS: Final = 120
_HEIGHT: Final = 800
_OPTIONS: Final = (
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--disable-lcd-text",
    "--hide-scrollbars",
    "--font-render-hinting=none",
    "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    f"--force-device-scale-factor={SCALE}",
)


class ChromiumError(Exception):
    """Chromium or a font is not installed, or Chromium failed."""


def rendered(html: str, width: int) -> str:
    """Return the DOM of a page as HTML, after its scripts ran."""
    with tempfile.TemporaryDirectory() as folder:
        return _run(Path(folder), html, width, _HEIGHT, "--dump-dom")


def shoot(html: str, width: int, height: int, target: Path) -> None:
    """Write a picture of a page. `width` and `height` are in CSS pixels; the picture has twice as many."""
    with tempfile.TemporaryDirectory() as folder:
        _run(Path(folder), html, width, height, f"--screenshot={target}")
    if not target.exists():
        raise ChromiumError(f"Chromium wrote no {target}")


def _run(folder: Path, html: str, width: int, height: int, mode: str) -> str:
    program = installed()
    page = folder / "page.html"
    page.write_text(html)
    # Chromium's sandbox refuses to run as root, as CI does.
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    options = [*_OPTIONS, *as_root, f"--user-data-dir={folder / 'profile'}", f"--window-size={width},{height}", mode]
    done = subprocess.run(
        [program, *options, page.as_uri()], capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if done.returncode:
        raise ChromiumError(f"Chromium failed with exit code {done.returncode}:\n{done.stderr[-2_000:]}")
    return done.stdout


def installed() -> str:
    """Return Chromium's path. ChromiumError if it or a font is not installed."""
    program = shutil.which(PROGRAM)
    if program is None or shutil.which("fc-list") is None:
        raise ChromiumError(MISSING)
    fonts = subprocess.run(["fc-list", ":", "family"], capture_output=True, text=True, check=True).stdout
    if not all(font in fonts for font in FONTS):
        raise ChromiumError(MISSING)
    return program
