"""The picture of a subject: which frame, which part of it, and when it is made again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines import thumbnail as made
from pipelines.thumbnail import HEIGHT, WIDTH, best_frame, kept_thumbnail, portrait_box, thumbnail
from studio.domain.sequence import Flag
from studio.project.store import Store


@pytest.mark.parametrize(
    ("size", "face"),
    [
        ((1080, 1920), (300, 700, 700, 1200)),
        ((1920, 1080), (1700, 20, 1900, 260)),
        ((320, 320), (0, 0, 320, 320)),
        ((640, 480), None),
        ((90, 400), (20, 100, 60, 160)),
    ],
)
def test_the_box_lies_inside_has_the_cards_shape_and_holds_the_face(size, face) -> None:
    points = np.empty((0, 2)) if face is None else np.array([face[:2], face[2:]], np.float32)
    left, top, right, bottom = portrait_box(points, *size)
    assert left >= 0 <= top
    assert right <= size[0]
    assert bottom <= size[1]
    assert (right - left) / (bottom - top) == pytest.approx(WIDTH / HEIGHT, abs=0.03)
    if face is not None and size[0] > 320:
        assert left <= face[0]
        assert right >= face[2]
        assert top <= face[1]
        assert bottom >= face[3]
    if face is None:
        assert (left, top, right, bottom) == (0, 0, 640, 480)


def test_the_best_frame_looks_here_with_open_eyes(small_sequence) -> None:
    motion = small_sequence.motion
    calm = {name: np.zeros_like(getattr(motion, name)) for name in ("angles", "eyelids", "gaze", "jaw")}
    flags = np.zeros(len(small_sequence), np.int32)
    even = replace(
        small_sequence,
        motion=replace(motion, **calm),
        flags=flags,
        sharpness=np.ones(len(small_sequence), np.float32),
    )
    count, best = len(even), 5

    def spoil(name: str, value: float):
        spoilt = np.full_like(getattr(even.motion, name), value)
        spoilt[best] = 0
        return replace(even, motion=replace(even.motion, **{name: spoilt}))

    for name, value in (("angles", 20.0), ("eyelids", 1.0), ("gaze", 25.0), ("jaw", 0.3)):
        assert best_frame(spoil(name, value)) == best, name
    covered = np.full(count, int(Flag.OCCLUDED), np.int32)
    covered[best] = 0
    assert best_frame(replace(even, flags=covered)) == best


def test_it_is_kept_and_made_again_for_a_newer_clip(store_with_clips, monkeypatch) -> None:
    store, first, second = store_with_clips
    subject = store.add("Ada", "herself")
    assert thumbnail(subject) is None
    subject.add_clip(first)
    place = thumbnail(subject)
    assert place is not None
    assert kept_thumbnail(subject) == place
    import cv2

    picture = cv2.imread(str(place))
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(picture.reshape(-1, 3).mean(0)[::-1] - (200, 40, 40)).max() < 6

    def never(*args):
        raise AssertionError("it was there already")

    with monkeypatch.context() as patch:
        patch.setattr(made, "_picture", never)
        assert thumbnail(subject) == place
    subject.add_clip(second)
    newer = thumbnail(subject)
    assert newer is not None
    assert newer != place
    assert not place.exists()
    assert [p.name for p in subject.path.iterdir() if p.suffix == ".jpg"] == [newer.name]


@pytest.fixture
def store_with_clips(home: Path, tmp_path: Path):
    """A store, and two clips of one colour each."""
    from fractions import Fraction

    from studio.media import VideoWriter

    files = []
    for name, colour in (("one", (200, 40, 40)), ("two", (40, 40, 200))):
        file = tmp_path / f"{name}.mp4"
        with VideoWriter(file, 160, 120, Fraction(10)) as writer:
            for _ in range(3):
                writer.write(np.full((120, 160, 3), colour, np.uint8))
        files.append(file)
    return Store(home), *files


@pytest.fixture
def small_sequence():
    """Twelve frames of a head model, no clip behind them."""
    from fractions import Fraction

    from studio.domain.motion import HeadMotion
    from studio.domain.sequence import LANDMARKS, TrackedSequence

    count = 12

    def zeros(*shape: int):
        return np.zeros((count, *shape), np.float32)

    return TrackedSequence(
        width=320,
        height=320,
        rate=Fraction(25),
        landmarks=zeros(LANDMARKS, 3),
        crops=zeros(4),
        mask_boxes=zeros(4),
        flags=np.zeros(count, np.int32),
        sharpness=np.ones(count, np.float32),
        head_model="builtin-1",
        identity=np.zeros(3, np.float32),
        offset=np.zeros((5, 3), np.float32),
        motion=HeadMotion.neutral(count, np.array([1000.0, 160.0, 160.0])),
        fit_error=zeros(),
        tracker="none",
    )
