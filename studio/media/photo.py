"""Photos as films of one frame: JPEG, PNG, WebP, AVIF and HEIC, upright, in sRGB and of a sensible size.

What a file is, its first bytes say, not its name: telephones and chats rename freely. Everything that reads
clips reads photos through :class:`PhotoFilm`, which has the face of `studio.media.reader.Film`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from studio.domain.problem import Problem
from studio.media.orientation import Orientation

if TYPE_CHECKING:
    from PIL.Image import Image

RATE = Fraction(25)
"""Frames per second of a photo's one frame: films that are made from nothing else go at this rate."""
LONGEST = 3840
"""Longest side in pixels that a photo is used at; larger ones are reduced. As many as 4K video has."""
MOST_PIXELS = 300_000_000
"""Pixels beyond which a photo is not opened: no telephone takes larger ones, and a file of a few bytes can
claim any size."""
PROFILE = "icc_profile"
"""Where Pillow keeps the description of a picture's colours."""

_HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_AVIF = {b"avif", b"avis"}
# EXIF's tag 274: how the stored picture lies, as (swap axes, then flip x, flip y).
_ORIENTATIONS = {
    2: Orientation(flip_x=True),
    3: Orientation(flip_x=True, flip_y=True),
    4: Orientation(flip_y=True),
    5: Orientation(swap=True),
    6: Orientation(swap=True, flip_x=True),
    7: Orientation(swap=True, flip_x=True, flip_y=True),
    8: Orientation(swap=True, flip_y=True),
}
_ORIENTATION_TAG = 274
_alone = threading.Lock()


@dataclass(frozen=True)
class PhotoFacts:
    """What a `Film` says of its developer, for a photo."""

    width: int
    """Upright width in pixels, as it is used."""
    height: int
    """Upright height in pixels, as it is used."""
    orientation: Orientation
    """How the stored picture was turned."""
    colour: None = None
    """No tone mapping."""


def photo_kind(path: Path) -> str | None:
    """``JPEG``, ``PNG``, ``WEBP``, ``AVIF`` or ``HEIC`` by a file's first bytes; None for everything else,
    also for what cannot be read."""
    try:
        if not path.is_file():  # a pipe would wait for ever
            return None
        with path.open("rb") as file:
            head = file.read(16)
    except (OSError, ValueError):
        return None
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        return "HEIC" if head[8:12] in _HEIF else "AVIF" if head[8:12] in _AVIF else None
    return None


def still_gif(path: Path, frames: int) -> Problem | None:
    """What to say of a GIF of one picture, which is neither a film nor a kind of photo that is read."""
    with path.open("rb") as file:
        gif = file.read(4) == b"GIF8"
    if frames > 1 or not gif:
        return None
    return Problem(f"“{path.name}” is a GIF of one picture, in 256 colours; save it as JPEG or PNG.")


class PhotoFilm:
    """An open photo with the face of a film of one frame."""

    bit_depth = 8
    """Bits per colour component, as it is used."""

    def __init__(self, path: Path) -> None:
        """
        Raises:
            Problem: it is damaged, moves, is too large, or is of a kind that cannot be read here.
        """
        self._path = Path(path)
        self._read()

    @property
    def developer(self) -> PhotoFacts:
        """Its size and how it lay."""
        picture, orientation = self._read()
        height, width = picture.shape[:2]
        return PhotoFacts(width, height, orientation)

    def picture(self, stored: int) -> npt.NDArray[np.uint8]:
        """``[H, W, 3]`` RGB, an array of its own; ``stored`` is 0."""
        if stored != 0:
            raise ValueError(f"frame {stored} asked of a photo")
        return self._read()[0].copy()

    def close(self) -> None:
        """As films have it; nothing is held open."""

    def _read(self) -> tuple[npt.NDArray[np.uint8], Orientation]:
        try:
            state = self._path.stat()
        except OSError:
            return _read(self._path)  # says what is wrong
        return _remembered(self._path.absolute(), state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=1)
def _remembered(path: Path, modified: int, size: int) -> tuple[npt.NDArray[np.uint8], Orientation]:
    """The last photo, which tracking looks at several times in a row."""
    return _read(path)


def _read(path: Path) -> tuple[npt.NDArray[np.uint8], Orientation]:
    kind = photo_kind(path)
    try:
        with _opened(path, kind) as image:
            return _developed(image, path, kind)
    except Problem:
        raise
    except Exception as error:  # decoders of damaged files raise anything
        raise Problem(
            f"“{path.name}” is a photo that cannot be read; it is damaged or cut short. "
            "Copy it from the phone again."
        ) from error


@contextmanager
def _opened(path: Path, kind: str | None) -> Iterator[Image]:
    from PIL import Image

    if kind == "HEIC":
        yield _heic(path)
        return
    # Pillow's own guard is for a whole process; ours is below, and lets the largest telephones pass.
    with _alone:
        guard, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image = Image.open(path, formats=(kind,) if kind else ())
        finally:
            Image.MAX_IMAGE_PIXELS = guard
    with image:
        yield image


def _heic(path: Path) -> Image:
    try:
        import pi_heif
    except ImportError as error:
        raise Problem(
            f"“{path.name}” is a HEIC photo, and what reads those is not installed; save it as JPEG or PNG."
        ) from error
    found = pi_heif.open_heif(path, convert_hdr_to_8bit=True)
    width, height = found.size
    _refuse_size(width, height, path)
    image: Image = found.to_pillow()
    return image


def _developed(image: Image, path: Path, kind: str | None) -> tuple[npt.NDArray[np.uint8], Orientation]:
    # Some cameras put a second, larger or deeper picture behind the first (MPO); that is no animation.
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise Problem(f"“{path.name}” is animated; choose a photo, or save it as a video.")
    _refuse_size(*image.size, path)
    # HEIF's own turns are done by its decoder, and EXIF there only repeats them.
    orientation = Orientation() if kind == "HEIC" else _orientation(image)
    if max(image.size) > 2 * LONGEST:
        image.draft("RGB", (LONGEST, LONGEST))  # JPEG can be decoded smaller; others ignore it
    plain = _plain(image)
    longest = max(plain.size)
    if longest > LONGEST:
        from PIL import Image as Pillow

        size = [max(1, round(side * LONGEST / longest)) for side in plain.size]
        plain = plain.resize((size[0], size[1]), Pillow.Resampling.LANCZOS, reducing_gap=3.0)
    return orientation.apply(np.asarray(plain, np.uint8)), orientation


def _refuse_size(width: int, height: int, path: Path) -> None:
    if width * height > MOST_PIXELS:
        raise Problem(
            f"“{path.name}” has {width * height // 1_000_000} million pixels, more than can be opened; "
            "save it smaller."
        )


def _orientation(image: Image) -> Orientation:
    try:
        return _ORIENTATIONS.get(int(image.getexif().get(_ORIENTATION_TAG, 1)), Orientation())
    except Exception:  # EXIF that makes no sense says nothing about the picture
        return Orientation()


def _plain(image: Image) -> Image:
    """RGB, 8 bits, sRGB; what is transparent lies on white."""
    from PIL import Image as Pillow

    if image.mode.startswith("I"):  # 16 bits of grey
        return Pillow.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        seen = image.convert("RGBA")
        seen.info.update({PROFILE: image.info[PROFILE]} if PROFILE in image.info else {})
        white = Pillow.new("RGBA", seen.size, (255, 255, 255, 255))
        return Pillow.alpha_composite(white, _in_srgb(seen)).convert("RGB")
    return _in_srgb(image).convert("RGB")


def _in_srgb(image: Image) -> Image:
    """The picture with its colour profile taken into account; as stored where that says nothing usable."""
    profile = image.info.get(PROFILE)
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return image
    from PIL import ImageCms

    target = "RGBA" if image.mode == "RGBA" else "RGB"
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        srgb = ImageCms.createProfile("sRGB")
        turned = ImageCms.profileToProfile(image, source, srgb, outputMode=target)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return image if turned is None else turned
