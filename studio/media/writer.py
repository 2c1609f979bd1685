"""Writing a video: exact rational rate, BT.709, the driver's sound, and never a half file.

Encoding is done by the ffmpeg program of imageio-ffmpeg, not by PyAV, because it runs beside Python instead
of under its lock, a crash in an encoder leaves this program alive, and one command line does what libraries
need many calls for (colour tags, sound trimming, an index in front). Sound is laid under the finished picture
in a second, copying pass: only then is the length known exactly, and no stream can wait for the other.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from studio.domain.problem import Problem
from studio.media.codecs import CODECS, Codec, CodecId, Quality
from studio.media.encoder import Encoder, NoRoom, claim, write_failure
from studio.media.sound import find_sound


def container_for(path: Path, codec: Codec) -> str:
    """ffmpeg's container format for a file of that name.

    Raises:
        Problem: the name's suffix does not suit the codec.
    """
    container = codec.containers.get(path.suffix.lower())
    if container is None:
        names = " or ".join(codec.containers)
        raise Problem(f"“{path.name}” must end in {names} to hold {codec.title}.")
    return container


class VideoWriter:
    """Streams RGB or RGBA pictures into a video file; a context manager.

    The file appears under its name, whole, when the block ends well; after an exception nothing is left. A
    side that must be even gets one more column (right) or row (bottom), a copy of the last one.
    """

    def __init__(
        self,
        path: Path,
        width: int,
        height: int,
        rate: Fraction,
        sound_from: Path | None = None,
        sound_start: Fraction = Fraction(0),
        quality: Quality = "good",
        codec: CodecId = "h264",
        alpha: bool = False,
        comment: str = "",
    ) -> None:
        """Start the encoder.

        Args:
            path: The file to make; an existing one is replaced at the end.
            width: Of the pictures that will come, pixels.
            height: Of the pictures that will come, pixels.
            rate: Frames per second, exact.
            sound_from: Clip or sound file whose sound is laid under the picture, cut to its length; it may be
                silent.
            sound_start: Where in that clip the picture starts, in seconds after the clip's first frame; less
                than 0 where the sound comes later.
            quality: Size against fidelity.
            codec: Key of `CODECS`, of one that writes a file.
            alpha: Pictures come as RGBA, and the codec stores coverage.
            comment: Kept in the file's metadata.

        Raises:
            Problem: the folder cannot be written to, the name's suffix does not suit the codec, or
                ``sound_from`` is neither video nor sound.
            ValueError: a size or rate that is not positive, or coverage for a codec without it.
        """
        if width < 1 or height < 1 or rate <= 0:
            raise ValueError(f"cannot write {width} x {height} pixels at {rate} frames/s")
        self.path = Path(path).absolute()
        self.rate = Fraction(rate)
        self.frames = 0
        """Pictures written so far."""
        self.warnings: list[str] = []
        """One sentence for each thing the user should know about the finished file."""
        self._codec, self._quality, self._alpha = CODECS[codec], quality, alpha
        if alpha and not self._codec.alpha_pixels:
            raise ValueError(f"{codec} holds no coverage")
        self._container = container_for(self.path, self._codec)
        self._comment = ["-metadata", f"comment={comment}"] if comment else []
        self._sound = None
        if sound_from is not None:
            self._sound = find_sound(Path(sound_from), Fraction(sound_start), self._codec.sound_taken)
        step = 2 if self._codec.even else 1
        channels = 4 if alpha else 3
        self._shape = (height, width, channels)
        self._canvas = np.zeros((-(-height // step) * step, -(-width // step) * step, channels), np.uint8)
        self._aside = claim(self.path, "partial")
        try:
            self._encoder = Encoder(self._picture_arguments(), self.path, takes_input=True)
        except BaseException:
            self._aside.unlink(missing_ok=True)
            raise

    def _picture_arguments(self) -> list[str]:
        rows, columns = self._canvas.shape[:2]
        rate = f"{self.rate.numerator}/{self.rate.denominator}"
        pixels = "rgba" if self._alpha else "rgb24"
        source = ["-f", "rawvideo", "-pix_fmt", pixels, "-s", f"{columns}x{rows}", "-framerate", rate]
        finish = [] if self._sound else list(self._codec.container_arguments)
        return [
            *source,
            *(
                "-i",
                "pipe:0",
                "-an",
                "-vf",
                self._codec.filters(self._alpha),
                "-fps_mode",
                "passthrough",
            ),
            *self._codec.encoder_arguments(self._quality, self._alpha),
            *self._comment,
            *finish,
            *("-f", self._container, f"file:{self._aside}"),
        ]

    def write(self, rgb: npt.NDArray[np.uint8]) -> None:
        """Append one picture ``[height, width, 3]`` uint8 RGB, or ``[height, width, 4]`` with coverage. It
        may be reused at once.

        Raises:
            Problem: the encoder has died, for example on a full disk.
            ValueError: another shape or type.
        """
        if rgb.shape != self._shape or rgb.dtype != np.uint8:
            raise ValueError(f"expected uint8 {self._shape}, got {rgb.dtype} {rgb.shape}")
        if self._canvas.shape == self._shape:
            self._encoder.feed(np.ascontiguousarray(rgb).data.cast("B"))
        else:
            height, width = self._shape[:2]
            self._canvas[:height, :width] = rgb
            self._canvas[height:, :width] = rgb[-1]
            self._canvas[:, width:] = self._canvas[:, width - 1 : width]
            self._encoder.feed(self._canvas.data.cast("B"))
        self.frames += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self.abandon()
        else:
            self.close()

    def abandon(self) -> None:
        """Stop and leave nothing behind."""
        self._encoder.stop()
        self._aside.unlink(missing_ok=True)

    def close(self) -> None:
        """Finish the file and give it its name.

        Raises:
            Problem: nothing was written, or the encoder failed.
        """
        try:
            if self.frames == 0:
                raise Problem(f"“{self.path.name}” was not written: there is no picture to put into it.")
            self._encoder.finish()
            finished = self._with_sound() or self._aside
            try:
                finished.replace(self.path)
            except OSError as error:
                finished.unlink(missing_ok=True)
                raise write_failure(self.path, str(error)) from error
        except BaseException:
            self.abandon()
            raise
        self._aside.unlink(missing_ok=True)

    def _with_sound(self) -> Path | None:
        """The finished picture with sound under it, in a file of its own; None where there is no sound."""
        if self._sound is None:
            return None
        both = claim(self.path, "sound")
        sound_encoder = self._codec.sound_arguments(self._quality)
        arguments = [
            *("-i", f"file:{self._aside}", *self._sound.input_arguments(), "-map", "0:v", "-c:v", "copy"),
            *self._sound.output_arguments(self.frames / self.rate, sound_encoder),
            *self._comment,
            *self._codec.container_arguments,
            *("-f", self._container, f"file:{both}"),
        ]
        try:
            encoder = Encoder(arguments, self.path)
            try:
                encoder.finish()
            finally:
                encoder.stop()
        except BaseException as error:
            both.unlink(missing_ok=True)
            if not isinstance(error, Problem) or isinstance(error, NoRoom):
                raise
            # An hour of rendering is not thrown away for a damaged sound track.
            self.warnings.append(
                f"The sound of “{self._sound.path.name}” could not be used; the video is silent."
            )
            return None
        return both
