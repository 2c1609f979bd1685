"""The guide shows every page, in both themes and at both sizes, and nothing that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from ui.pages.catalog import PAGES

DOCS = Path(__file__).resolve().parents[2] / "docs"
GUIDE = (DOCS / "guide.md").read_text(encoding="utf-8")
SIZES = {"1280x800": (1280, 800), "2560x1440": (2560, 1440)}


@pytest.mark.parametrize("page", [spec.id for spec in PAGES])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_every_page_is_shown(page: str, theme: str, size: str) -> None:
    picture = f"images/guide/{page}-{theme}-{size}.jpg"
    assert picture in GUIDE
    with Image.open(DOCS / picture) as opened:
        assert opened.size == SIZES[size]


def test_whatever_the_guide_links_to_is_there() -> None:
    links = set(re.findall(r"\]\(([^)#]+)\)|src=\"([^\"]+)\"", GUIDE))
    files = {first or second for first, second in links}
    assert len(files) > 32
    assert [file for file in sorted(files) if not (DOCS / file).is_file()] == []


def test_the_pictures_stay_small() -> None:
    files = list((DOCS / "images" / "guide").iterdir())
    pages = {file.name.split("-")[0] for file in files}
    assert sum(file.stat().st_size for file in files) < 600_000 * len(pages)
