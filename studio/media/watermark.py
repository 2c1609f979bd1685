"""A small visible mark that says what a picture is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]

WORDS = "made with an avatar"
SHARE = 1 / 30
"""Height of the letters as a share of the picture's height."""
SMALLEST = 8
"""Pixels below which letters cannot be read."""
STRENGTH = 0.8
"""Coverage of the letters; their shadow has half as much."""


class Watermark:
    """Draws the words into the lower right corner, light with a soft shadow: legible on any picture."""

    def __init__(self, width: int, height: int) -> None:
        """Prepare it for pictures of ``width`` x ``height`` pixels."""
        import cv2
        from PIL import Image, ImageDraw, ImageFont

        size = max(SMALLEST, round(SHARE * height))
        font = ImageFont.load_default(size)
        canvas = Image.new("L", (width, height), 0)
        margin = max(2, size // 2)
        place = (width - margin, height - margin)
        ImageDraw.Draw(canvas).text(place, WORDS, fill=255, font=font, anchor="rs")
        letters = np.asarray(canvas, np.float32) / 255 * np.float32(STRENGTH)
        spread = 2 * max(1, size // 8) + 1
        shadow = np.clip(cv2.blur(letters, (spread, spread)) * 1.5, 0, STRENGTH / 2)
        cover = letters + shadow * (1 - letters)
        rows, columns = np.flatnonzero(cover.any(1)), np.flatnonzero(cover.any(0))
        self._where = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        cut = cover[self._where][..., None]
        self._cover = cut
        # White letters over a black shadow, multiplied by their coverage.
        self._light = 255 * letters[self._where][..., None]

    def over(self, picture: Picture) -> Picture:
        """The picture with the mark: ``[H, W, 3]`` RGB or ``[H, W, 4]`` straight RGBA, a new array."""
        out = picture.copy()
        part = picture[self._where].astype(np.float32)
        if picture.shape[2] == 3:
            mixed = self._light + part * (1 - self._cover)
        else:
            below = part[..., 3:] / 255 * (1 - self._cover)
            total = self._cover + below
            colour = (self._light + part[..., :3] * below) / np.maximum(total, 1e-6)
            mixed = np.concatenate([colour, 255 * total], 2)
        out[self._where] = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)
        return out
