"""Writing one clip into a shard, frame by frame; memory does not grow with its pictures."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from io import BytesIO

import numpy as np
import numpy.typing as npt

from studio.corpus.clip_numbers import ClipNumbers, landmarks_to_bytes, to_bytes
from studio.corpus.corpus import landmarks_name, mask_name, numbers_name, picture_name
from studio.corpus.shards import ShardWriter
from studio.domain.camera import Floats
from studio.domain.motion import HeadMotion

Picture = npt.NDArray[np.uint8]
QUALITY = 95
"""Of the JPEG pictures, with colours at full resolution: lips are red on a few pixels only."""


def write_clip(
    shard: ShardWriter,
    name: str,
    images: Iterable[tuple[Picture, Picture]],
    *,
    motion: HeadMotion,
    coefficients: Floats,
    offset: Floats,
    landmarks: Floats,
    flags: npt.NDArray[np.int32],
    frames: npt.NDArray[np.int32],
    square: Floats,
) -> int:
    """Append a clip to a shard.

    Args:
        shard: where it goes.
        name: what it is called; at most 80 letters, digits, points and hyphens.
        images: for each frame the picture ``[side, side, 3]`` and the mask ``[side, side]``.
        motion, coefficients, offset, flags, frames, square: as in :class:`ClipNumbers`.
        landmarks: ``[T, 478, 3]`` in crop pixels, larger z is nearer.

    Returns:
        CRC-32 of the numbers' file, which the corpus lists.

    Raises:
        ValueError: not as many images as frames, or shapes differ.
    """
    sums = np.zeros((len(motion), 2), np.uint32)
    count = 0
    for count, (picture, mask) in enumerate(images, 1):
        if count > len(sums):
            raise ValueError(f"more than {len(sums)} images")
        files = _encoded(picture, "JPEG", quality=QUALITY, subsampling=0), _encoded(mask, "PNG")
        for kind, (where, data) in enumerate(zip((picture_name, mask_name), files)):
            shard.write(where(name, count - 1), data)
            sums[count - 1, kind] = zlib.crc32(data)
    if count != len(sums):
        raise ValueError(f"{count} images for {len(sums)} frames")
    marks = landmarks_to_bytes(landmarks)
    shard.write(landmarks_name(name), marks)
    numbers = ClipNumbers(
        motion=motion,
        coefficients=coefficients,
        offset=offset,
        flags=flags,
        frames=frames,
        square=square,
        sums=sums,
        landmarks_sum=np.array([zlib.crc32(marks)], np.uint32),
    )
    data = to_bytes(numbers)
    shard.write(numbers_name(name), data)
    return zlib.crc32(data)


def _encoded(pixels: Picture, kind: str, **options: int) -> bytes:
    from PIL import Image

    file = BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()
