"""The picture that shows how far a training is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from studio.project.atomic import explaining_disk


def write_preview(folder: Path, picture: npt.NDArray[np.uint8]) -> Path:
    """Write ``preview.png`` in ``folder``; a reader sees the previous picture or this one.

    Args:
        folder: made if it is not there.
        picture: ``[H, W, 3]`` RGB.

    Raises:
        Problem: the disk said no.
    """
    from PIL import Image

    path = folder / "preview.png"
    with explaining_disk(path):
        folder.mkdir(parents=True, exist_ok=True)
        # Not flushed to disk: a picture lost with the power is renewed within the minute.
        aside = folder / "preview.new.png"
        Image.fromarray(np.ascontiguousarray(picture)).save(aside)
        aside.replace(path)
    return path
