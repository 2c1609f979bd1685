"""One door to everything that pictures can be written to: video files and folders of pictures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from studio.domain.problem import Problem
from studio.media.codecs import CODECS, Codec, CodecId, Quality
from studio.media.container import PHOTO_ENDINGS
from studio.media.encoder import clear_aside
from studio.media.picture_folder import PictureFolder, refuse_folder
from studio.media.writer import VideoWriter
from studio.project.atomic import tidy


class Output(Protocol):
    """Pictures go in one by one; the result appears when the block ends well, else nothing is left."""

    frames: int
    """Pictures written so far."""
    warnings: list[str]
    """One sentence for each thing the user should know about the result."""

    def write(self, picture: npt.NDArray[np.uint8], /) -> None:
        """Append a picture ``[H, W, 3]`` RGB or, with coverage, ``[H, W, 4]`` RGBA, uint8."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Finish or, after an exception, leave nothing."""


def open_output(
    path: Path,
    width: int,
    height: int,
    rate: Fraction,
    codec: CodecId = "h264",
    quality: Quality = "good",
    sound_from: Path | None = None,
    sound_start: Fraction = Fraction(0),
    alpha: bool = False,
    comment: str = "",
) -> Output:
    """A `VideoWriter` or a `PictureFolder`, as the codec needs; see there for arguments and errors."""
    if CODECS[codec].is_folder:
        return PictureFolder(path, width, height, rate, sound_from, sound_start, quality, alpha, comment)
    return VideoWriter(
        path, width, height, rate, sound_from, sound_start, quality, codec, alpha=alpha, comment=comment
    )


def refuse_name(path: Path, codec: Codec) -> None:
    """Raise Problem for a place that a codec cannot write to, before any work."""
    if codec.is_folder:
        if path.suffix.lower() in _ENDINGS:
            raise Problem(
                f"{codec.title} go into a folder, but “{path.name}” is named like a file; "
                f"leave “{path.suffix}” out."
            )
        refuse_folder(path)
        return
    if path.is_dir():
        raise Problem(f"“{path.name}” is a folder; give a file name that ends in {codec.suffix}.")
    if path.suffix.lower() not in codec.containers:
        # Perhaps the name says what was meant.
        other = next((each for each in CODECS.values() if path.suffix.lower() in each.containers), None)
        wanted = " or ".join(codec.containers)
        hint = f"; choose {other.id} for {path.suffix}" if other is not None else ""
        if path.suffix.lower() in PHOTO_ENDINGS:
            hint = "; choose png and a folder for pictures"
        raise Problem(f"“{path.name}” is no name for {codec.title}: let it end in {wanted}{hint}.")
    if not path.absolute().parent.is_dir():
        raise Problem(f"There is no folder “{path.absolute().parent}”: make it first or write elsewhere.")


def clear_leftovers(path: Path) -> None:
    """Remove what a killed run left beside ``path``, for when nobody will write there again."""
    clear_aside(path)
    tidy(path.parent)


_ENDINGS = {".png", ".jpg", *(suffix for codec in CODECS.values() for suffix in codec.containers)}
