"""Pictures one by one into a folder, which appears whole or not at all."""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from studio.domain.problem import Problem
from studio.media.codecs import CODECS, Quality
from studio.media.encoder import Encoder, NoRoom
from studio.media.sound import find_sound
from studio.project.atomic import new_folder

if TYPE_CHECKING:
    from PIL.PngImagePlugin import PngInfo

NAME = "frame_{number:06d}.png"
"""Names of the pictures; the first one is number 0."""
SOUND = "sound.wav"
"""Name of the sound beside them."""
_OURS = re.compile(r"frame_\d{6,}\.png|sound\.wav|\.DS_Store|Thumbs\.db|desktop\.ini")


def holds_only_pictures(folder: Path) -> bool:
    """Whether there is nothing in the folder that an earlier export did not write."""
    return all(_OURS.fullmatch(each.name) and each.is_file() for each in folder.iterdir())


class PictureFolder:
    """Writes RGB or RGBA pictures as PNG files, exactly as given; a context manager like `VideoWriter`."""

    def __init__(
        self,
        path: Path,
        width: int,
        height: int,
        rate: Fraction,
        sound_from: Path | None = None,
        sound_start: Fraction = Fraction(0),
        quality: Quality = "good",
        alpha: bool = False,
        comment: str = "",
    ) -> None:
        """Make the folder aside.

        Args:
            path: The folder to make; an existing one is replaced at the end if it is empty or holds nothing
                but the pictures of an earlier export.
            width, height, rate, sound_from, sound_start, alpha, comment: as for `VideoWriter`; the rate only
                says how long the sound is.
            quality: Size of the files against the time to write them; pictures are exact in any case.

        Raises:
            Problem: the folder cannot be made there, or holds something else.
        """
        self.path = Path(path).absolute()
        self.rate = Fraction(rate)
        self.frames = 0
        """Pictures written so far."""
        self.warnings: list[str] = []
        """One sentence for each thing the user should know about the result."""
        self._shape = (height, width, 4 if alpha else 3)
        self._effort = int(CODECS["png"].qualities[quality].effort)
        self._sound_encoder = CODECS["png"].sound_arguments(quality)
        self._sound = None
        if sound_from is not None:
            self._sound = find_sound(Path(sound_from), Fraction(sound_start), CODECS["png"].sound_taken)
        refuse_folder(self.path)
        self._notes = _notes(comment)
        with ExitStack() as stack:
            self._aside = stack.enter_context(new_folder(self.path))
            self._stack = stack.pop_all()

    def write(self, picture: npt.NDArray[np.uint8]) -> None:
        """Append one picture ``[height, width, 3]`` uint8 RGB, or ``[height, width, 4]`` with coverage.

        Raises:
            Problem: the disk said no.
            ValueError: another shape or type.
        """
        from PIL import Image

        if picture.shape != self._shape or picture.dtype != np.uint8:
            raise ValueError(f"expected uint8 {self._shape}, got {picture.dtype} {picture.shape}")
        Image.fromarray(picture).save(
            self._aside / NAME.format(number=self.frames), compress_level=self._effort, pnginfo=self._notes
        )
        self.frames += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            try:
                self._finish()
            except BaseException as failure:
                self._stack.__exit__(type(failure), failure, failure.__traceback__)
                raise
        self._stack.__exit__(kind, error, trace)

    def _finish(self) -> None:
        if self.frames == 0:
            raise Problem(f"“{self.path.name}” was not written: there is no picture to put into it.")
        if self._sound is None:
            return
        target = self._aside / SOUND
        arguments = [
            *self._sound.input_arguments(),
            *self._sound.output_arguments(self.frames / self.rate, self._sound_encoder, input_number=0),
            *("-f", "wav", f"file:{target}"),
        ]
        encoder = Encoder(arguments, self.path)
        try:
            encoder.finish()
        except NoRoom:
            raise
        except Problem:
            # An hour of rendering is not thrown away for a damaged sound track.
            target.unlink(missing_ok=True)
            self.warnings.append(f"The sound of “{self._sound.path.name}” could not be used.")
        finally:
            encoder.stop()


def refuse_folder(path: Path) -> None:
    """Raise Problem for a place where no folder of pictures can be put without losing something else."""
    if not path.parent.is_dir():
        raise Problem(f"There is no folder “{path.parent}” to write “{path.name}” into; create it first.")
    if path.is_file():
        raise Problem(f"“{path.name}” is a file; choose a name for the folder of pictures.")
    if path.is_symlink():
        raise Problem(f"“{path.name}” only points to another place; choose a new name for the pictures.")
    if path.is_dir() and not holds_only_pictures(path):
        raise Problem(f"The folder “{path.name}” holds other files; choose a new name for the pictures.")
    if not os.access(path.parent, os.W_OK):
        raise Problem(f"“{path.name}” may not be written into “{path.parent}”; choose another folder.")


def _notes(comment: str) -> PngInfo | None:
    from PIL.PngImagePlugin import PngInfo

    if not comment:
        return None
    notes = PngInfo()
    notes.add_text("Comment", comment)
    return notes
