"""Sheets of pictures: a line of text between them, and the PNG they are written to."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from studio.project.atomic import explaining_disk

Picture = npt.NDArray[np.uint8]
HEADING = 22
"""Height of a line of text in pixels."""


def text_line(text: str, width: int) -> Picture:
    """A line of text, drawn smaller where it would not fit."""
    line = np.full((HEADING, width, 3), 24, np.uint8)
    (needed, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.42, 1)
    scale = 0.42 * min(1.0, (width - 8) / max(needed, 1))
    cv2.putText(line, text, (6, 15), cv2.FONT_HERSHEY_SIMPLEX, scale, (235, 235, 235), 1, cv2.LINE_AA)
    return line


def label(picture: Picture, text: str) -> None:
    """Write a few words into a picture's lower left corner, readable before light and dark."""
    at = (6, len(picture) - 8)
    for thickness, shade in ((3, 24), (1, 235)):
        cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (shade,) * 3, thickness, cv2.LINE_AA)


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
