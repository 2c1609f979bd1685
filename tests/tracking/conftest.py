"""Clips of a public-domain portrait with known movement, and made-up sightings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import skimage.data

from studio.domain.camera import Similarity
from studio.head.topology import topology
from studio.tracking.regions import SKIN
from studio.tracking.sighting import Sighting

SIDE = 288


@pytest.fixture(scope="session")
def portrait() -> np.ndarray:
    """Head and shoulders of NASA's Eileen Collins, ``[288, 288, 3]``; the face is some 100 px high."""
    return np.ascontiguousarray(skimage.data.astronaut()[0:SIDE, 76 : 76 + SIDE])


@pytest.fixture(scope="session")
def stranger(portrait: np.ndarray) -> np.ndarray:
    """The portrait mirrored, with a narrower face, other skin, other light: to a tracker another person."""
    narrow = cv2.resize(portrait[:, ::-1], (int(SIDE * 0.8), SIDE), interpolation=cv2.INTER_AREA)
    side = SIDE - narrow.shape[1]
    wide = cv2.copyMakeBorder(narrow, 0, 0, side // 2, side - side // 2, cv2.BORDER_REPLICATE)
    lab = cv2.cvtColor(wide, cv2.COLOR_RGB2LAB).astype(np.int16)
    lab[..., 0] = lab[..., 0] * 6 // 10
    lab[..., 1] += 4
    lab[..., 2] += 20
    return cv2.cvtColor(lab.clip(0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB)


def moved(picture: np.ndarray, move: Similarity, width: int = SIDE, height: int = SIDE) -> np.ndarray:
    """The picture under a similarity of its pixels."""
    return cv2.warpAffine(
        picture,
        move.pixel_matrix,
        (width, height),
        flags=cv2.INTER_AREA if move.scale < 1 else cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )


@pytest.fixture(scope="session")
def move_picture() -> Callable[..., np.ndarray]:
    """See :func:`moved`."""
    return moved


def sway(frame: int) -> Similarity:
    """A gentle, known movement about the picture's middle."""
    middle = SIDE / 2
    turn = Similarity(1 + 0.04 * np.sin(frame / 7), 0.12 * np.sin(frame / 9), 0.0, 0.0)
    back = Similarity(1, 0, middle + 9 * np.sin(frame / 5), middle + 4 * np.cos(frame / 6))
    return Similarity(1, 0, -middle, -middle).then(turn).then(back)


@pytest.fixture(scope="session")
def swaying() -> Callable[[int], Similarity]:
    """See :func:`sway`."""
    return sway


@pytest.fixture
def write_clip(tmp_path: Path) -> Callable[..., Path]:
    """Writes pictures as a small H.264 file."""

    def write(pictures: Iterable[np.ndarray], name: str = "clip.mp4", rate: int = 30) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=Fraction(rate))
            stream.pix_fmt = "yuv420p"
            stream.options = {"crf": "14", "preset": "ultrafast"}
            for number, picture in enumerate(pictures):
                if number == 0:
                    stream.height, stream.width = picture.shape[:2]
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))
        return path

    return write


class Actor:
    """A made-up person whose sightings can be asked for anywhere."""

    def __init__(self, seed: int, width: float = 1.0, skin: tuple[int, int, int] = (160, 145, 150)) -> None:
        self._random = np.random.default_rng(seed)
        shape = topology().positions.astype(np.float32).copy()
        self._shape = shape * np.array([width, 1, 1], np.float32)
        self._skin = np.array(skin) + self._random.normal(0, 6, (len(SKIN), 3))

    def at(self, x: float, y: float, size: float = 100.0) -> Sighting:
        """A frontal sighting, centre and approximate height in pixels, with some tremble."""
        points = self._shape * np.array([1, -1, 1], np.float32) * (size / 0.19)
        points = points + self._random.normal(0, size / 800, points.shape)
        points[:, :2] += (x, y)
        colours = self._skin + self._random.normal(0, 0.7, self._skin.shape)
        return Sighting(points.astype(np.float32), colours.clip(0, 255).astype(np.uint8))


@pytest.fixture
def make_actor() -> type[Actor]:
    """See :class:`Actor`."""
    return Actor
