"""Sheets of pictures: a line of text between them, and the PNG they are written to."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from studio.project.atomic import explaining_disk

Picture = npt.NDArray[np.uint8]
HEADING = 22
"""Height of a line of text in pixels."""
LETTERS = 0.6
"""Size of letters in heights of their line."""
SMALLEST = 6
"""Letters that nobody could read are not made smaller still."""
PAPER, INK = 24, 235
"""Shades of a line and of its letters."""
MARGIN = 6
"""Pixels left and right of a line's letters."""
LABEL = 15
"""Size of letters on pictures, pixels."""
_NOWHERE = "\uffff"
"""No font has this."""


def text_line(text: str, width: int, height: int = HEADING) -> Picture:
    """A line of text, drawn smaller where it would not fit."""
    line = np.full((height, width, 3), PAPER, np.uint8)
    return _written(line, text, (MARGIN, height / 2), "lm", _fitting([text], width, height))


def columns_line(texts: Sequence[str], width: int, height: int = HEADING) -> Picture:
    """A line with a text over the middle of each column of pictures ``width`` pixels wide."""
    line = np.full((height, width * len(texts), 3), PAPER, np.uint8)
    size = _fitting(texts, width, height)
    for column, text in enumerate(texts):
        line = _written(line, text, ((column + 0.5) * width, height / 2), "mm", size)
    return line


def label(picture: Picture, text: str) -> None:
    """Write a few words into a picture's lower left corner, readable before light and dark."""
    picture[:] = _written(picture, text, (MARGIN, len(picture) - MARGIN), "lb", LABEL, outlined=True)


def readable(text: str) -> bool:
    """Whether sheets have every letter of a text: Latin, Greek and Cyrillic ones, and not those of all
    scripts."""
    font = sheet_font(LABEL)
    unknown = bytes(font.getmask(_NOWHERE))
    return all(letter.isspace() or bytes(font.getmask(letter)) != unknown for letter in text)


@cache
def sheet_font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib."""
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")), size)


def write_png(path: Path, sheet: Picture) -> None:
    """Write a picture ``[H, W, 3]``, aside and renamed. Raises Problem when the disk says no."""
    done, data = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    if not done:
        raise ValueError("the picture could not be encoded")
    with explaining_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.part")
        aside.write_bytes(data.tobytes())
        aside.replace(path)


def _fitting(texts: Sequence[str], width: int, height: int) -> int:
    """Size of letters at which each text fits a line."""
    size = round(LETTERS * height)
    while size > SMALLEST and max(map(sheet_font(size).getlength, texts)) > width - 2 * MARGIN:
        size -= 1
    return size


def _written(
    picture: Picture, text: str, at: tuple[float, float], anchor: str, size: int, outlined: bool = False
) -> Picture:
    paper = Image.fromarray(picture)
    ImageDraw.Draw(paper).text(
        at,
        text,
        fill=(INK,) * 3,
        font=sheet_font(size),
        anchor=anchor,
        stroke_width=2 if outlined else 0,
        stroke_fill=(PAPER,) * 3,
    )
    return np.array(paper)
