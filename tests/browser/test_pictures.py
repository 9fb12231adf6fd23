"""The pictures in the documentation are of the messages that the code writes now."""

from __future__ import annotations

import json

import pytest

from tools.pictures.__main__ import DIGESTS, FOLDER, digest, pages

PAGES = pages()


@pytest.mark.parametrize("name", PAGES)
def test_a_picture_is_of_the_page_as_it_is_now(name: str) -> None:
    """The pixels may differ from one Chromium to another; the page may not."""
    recorded = json.loads(DIGESTS.read_text())[name]
    assert recorded["html"] == digest(PAGES[name].encode()), "The message or the page has changed: run make pictures"
    assert recorded["png"] == digest((FOLDER / f"{name}.png").read_bytes()), "Not that picture: run make pictures"


def test_there_is_no_other_picture() -> None:
    """One that nothing writes any more would never be found to be out of date."""
    assert {path.stem for path in FOLDER.glob("*.png")} == PAGES.keys() == json.loads(DIGESTS.read_text()).keys()
