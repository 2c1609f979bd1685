"""Pictures side by side with words: what directions do, and samples to judge."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw, ImageFont

from studio.domain.edits import LatentShift
from studio.editing.attributes import eight_bit
from studio.editing.person import LatentPerson, Samples
from studio.editing.scored_samples import drawn

Picture = npt.NDArray[np.uint8]

LARGEST = 192
"""Side of a picture on a sheet, pixels, at most."""
GAP = 4
"""Between pictures."""
TITLES, HEADS = 150, 22
"""Width left of the rows and height above the columns, for words."""
_PAPER, _INK = 255, (40, 40, 40)


def contact_sheet(
    person: LatentPerson, components: Sequence[tuple[str, LatentShift]], strengths: Sequence[float]
) -> Picture:
    """What directions do to the person's usual picture.

    Args:
        person: draws.
        components: a title and a shift for each row.
        strengths: one for each column.

    Returns:
        ``[H, W, 3]``; :func:`place` tells where each picture is. At strength 0 it is the unedited one.
    """
    usual = person.usual(1)
    ws, moment = usual.ws[:1], usual.moments[:1]
    latents = [
        ws + strength * torch.as_tensor(shift.rows, dtype=ws.dtype, device=ws.device)
        for _, shift in components
        for strength in strengths
        if strength != 0.0
    ]
    moved = torch.cat(latents) if latents else ws[:0]
    pictures = iter(_drawn(person, Samples(moved, moment.expand(len(moved)))))
    rest = _drawn(person, Samples(ws, moment))[0]
    cells = [[rest if strength == 0.0 else next(pictures) for strength in strengths] for _ in components]
    return laid_out(cells, [title for title, _ in components], [f"{strength:+g}" for strength in strengths])


def samples_sheet(person: LatentPerson, samples: Samples, columns: int = 10) -> Picture:
    """Samples with their numbers, from 0, row by row: ``[H, W, 3]``."""
    pictures = _drawn(person, samples)
    rows = [pictures[start : start + columns] for start in range(0, len(pictures), columns)]
    ends = [min((row + 1) * columns, len(pictures)) - 1 for row in range(len(rows))]
    titles = [f"{row * columns}-{end}" for row, end in enumerate(ends)]
    return laid_out(rows, titles, [f"+{column}" for column in range(min(columns, len(pictures)))])


def place(row: int, column: int, side: int) -> tuple[int, int, int]:
    """Top, left and side of a picture on a sheet, when the generator's has ``side`` pixels."""
    shown = min(side, LARGEST)
    return HEADS + row * (shown + GAP), TITLES + column * (shown + GAP), shown


def laid_out(rows: Sequence[Sequence[Picture]], titles: Sequence[str], heads: Sequence[str]) -> Picture:
    """Rows of pictures ``[R, R, 3]`` of one size, titles left of the rows and heads above the columns."""
    side = rows[0][0].shape[0]
    columns = max(map(len, rows))
    top, left, shown = place(len(rows), columns, side)
    sheet = np.full((top, left, 3), _PAPER, np.uint8)
    for r, row in enumerate(rows):
        for c, picture in enumerate(row):
            y, x, _ = place(r, c, side)
            sheet[y : y + shown, x : x + shown] = _shrunk(picture, shown)
    paper = Image.fromarray(sheet)
    pen, font = ImageDraw.Draw(paper), ImageFont.load_default(12)
    for r, title in enumerate(titles):
        pen.multiline_text((6, place(r, 0, side)[0] + 4), _broken(title), fill=_INK, font=font)
    for c, head in enumerate(heads):
        pen.text((place(0, c, side)[1] + shown / 2, HEADS / 2), head, fill=_INK, font=font, anchor="mm")
    return np.array(paper)


def _drawn(person: LatentPerson, samples: Samples) -> list[Picture]:
    return [picture for pictures in drawn(person, samples) for picture in eight_bit(pictures)]


def _shrunk(picture: Picture, side: int) -> Picture:
    if picture.shape[0] == side:
        return picture
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _broken(title: str, width: int = 22) -> str:
    """A title in lines of about so many letters, at most four."""
    lines = [""]
    for word in title.split():
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()[:width]
    return "\n".join(lines[:4])
