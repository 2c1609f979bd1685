"""A folder of clips as people have them, made of the bundled sample, and the corpus that comes of it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.make_sample import SampleSettings, SampleTruth, make_sample
from pipelines.prepare_corpus import Prepared, prepare_corpus
from pipelines.prepare_settings import PrepareSettings
from studio.media import VideoWriter, read_frames

SETTINGS = PrepareSettings(side=64, smallest_face=1.2, fewest_frames=8, held_out=0.5)
"""Faces of less than 77 source pixels are too small; the sample's has some 110."""


@dataclass(frozen=True)
class Clips:
    """What was made."""

    folder: Path
    truth: SampleTruth
    """Of ann.mp4."""


def write(path: Path, pictures) -> None:
    """Pictures as a video of 25 frames a second."""
    pictures = list(pictures)
    height, width = pictures[0].shape[:2]
    with VideoWriter(path, width, height, Fraction(25), quality="best") as film:
        for picture in pictures:
            film.write(np.ascontiguousarray(picture))


def somebody_else(picture: np.ndarray) -> np.ndarray:
    """Mirrored, narrower and of another skin: to a tracker another person."""
    side = picture.shape[0]
    narrow = cv2.resize(picture[:, ::-1], (side * 8 // 10, side), interpolation=cv2.INTER_AREA)
    rest = side - narrow.shape[1]
    wide = cv2.copyMakeBorder(narrow, 0, 0, rest // 2, rest - rest // 2, cv2.BORDER_REPLICATE)
    return (wide * np.array([0.55, 0.75, 0.6])).astype(np.uint8)


@pytest.fixture(scope="session")
def clips(tmp_path_factory) -> Clips:
    """See the names; nobody may change it."""
    folder = tmp_path_factory.mktemp("prepare") / "clips"
    (folder / "more").mkdir(parents=True)
    made = tmp_path_factory.mktemp("sample") / "ann.mp4"
    truth = make_sample(made, SampleSettings(size=256, seconds=1.2))
    shutil.copy(made, folder / "ann.mp4")
    ann = list(read_frames(folder / "ann.mp4"))
    bob = [somebody_else(picture) for picture in ann]
    write(folder / "more/bob 2.mp4", bob[:20])
    gone = cv2.blur(bob[0], (151, 151))  # as bright, but nobody
    write(
        folder / "two.mp4", [np.hstack([a, b if t < 9 else gone]) for t, (a, b) in enumerate(zip(ann, bob))]
    )
    write(folder / "one.mp4", ann[:1])
    write(folder / "none.mp4", [np.full((128, 128, 3), 40 + t, np.uint8) for t in range(12)])
    small = [cv2.resize(picture, (128, 128), interpolation=cv2.INTER_AREA) for picture in ann[:12]]
    write(folder / "small.mp4", small)
    # The film cuts to a closer picture of the same person.
    near = [cv2.resize(p[30:200, 40:210], (256, 256), interpolation=cv2.INTER_LINEAR) for p in ann[14:28]]
    write(folder / "cut.mp4", ann[:14] + near)
    (folder / "broken.mp4").write_bytes((folder / "ann.mp4").read_bytes()[:900])
    (folder / "notes.txt").write_text("Who is who")
    (folder / ".hidden.mp4").write_bytes(b"")
    return Clips(folder, truth)


@dataclass(frozen=True)
class Run:
    """What came of them."""

    done: Prepared
    said: tuple[str, ...]


@pytest.fixture(scope="session")
def run(clips: Clips, tmp_path_factory) -> Run:
    """Prepared by two processes; nobody may change it."""
    said: list[str] = []
    out = tmp_path_factory.mktemp("prepared") / "corpus"
    done = prepare_corpus(clips.folder, out, SETTINGS, jobs=2, say=said.append, shard_bytes=150_000)
    return Run(done, tuple(said))


@pytest.fixture
def copied(run: Run, clips: Clips, tmp_path: Path) -> tuple[Path, Path]:
    """Copies of the folder of clips and of the corpus, which may be changed."""
    shutil.copytree(clips.folder, tmp_path / "clips")
    shutil.copytree(run.done.corpus.folder, tmp_path / "corpus")
    return tmp_path / "clips", tmp_path / "corpus"
