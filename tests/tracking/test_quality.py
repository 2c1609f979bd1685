from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from studio.domain.camera import Similarity
from studio.domain.sequence import Flag
from studio.tracking.following import Followed
from studio.tracking.hands import under_hands
from studio.tracking.occlusion import covered_share
from studio.tracking.quality import blurred, face_detail, flag_frames, misfit, report, sharpness
from studio.tracking.regions import SKIN
from studio.tracking.settings import TrackSettings
from studio.tracking.sighting import Sighting


def test_report_names_stretches_and_reasons() -> None:
    flags = np.zeros(200, np.int32)
    flags[120:165] = Flag.NO_FACE
    flags[3] = Flag.BLURRED
    flags[199] = Flag.SMALL | Flag.EDGE
    assert report(flags) == [
        "frame 3: the picture is blurred",
        "frames 120–164: no face was found",
        "frame 199: the face is too small and the face leaves the picture",
    ]
    assert report(np.zeros(10, np.int32)) == []


def place(portrait: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray, Similarity]:
    """The portrait at a scale, made-up landmarks around its face, and its crop."""
    size = round(portrait.shape[0] * scale)
    picture = cv2.resize(portrait, (size, size), interpolation=cv2.INTER_AREA)
    angles = np.linspace(0, 2 * np.pi, 478, endpoint=False)
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[:, 0], landmarks[:, 1] = 145 + 40 * np.cos(angles), 115 + 55 * np.sin(angles)
    side = 160.0
    crop = Similarity(1 / side, 0.0, 0.5 - 145 / side, 0.5 - 115 / side)
    shrink = Similarity(scale, 0.0, 0.0, 0.0)
    return picture, shrink.apply(landmarks), shrink.inverse().then(crop)


def test_detail_falls_with_blur(portrait: np.ndarray) -> None:
    picture, landmarks, crop = place(portrait, 1.0)
    values = [
        face_detail(cv2.GaussianBlur(picture, (0, 0), sigma), landmarks, crop) for sigma in (0.3, 1, 2, 4)
    ]
    assert values == sorted(values, reverse=True)
    assert values[2] < 0.3 * values[0]


def test_detail_hardly_depends_on_how_large_the_same_picture_is(portrait: np.ndarray) -> None:
    """The same sharp content at three times the size is neither sharper nor more blurred."""
    soft = cv2.GaussianBlur(portrait, (0, 0), 1.0)
    one = face_detail(*place(soft, 1.0))
    large = cv2.resize(soft, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    three = face_detail(large, *big())
    assert three == pytest.approx(one, rel=0.25)


def big() -> tuple[np.ndarray, Similarity]:
    _, landmarks, crop = place(np.zeros((288, 288, 3), np.uint8), 1.0)
    grow = Similarity(3.0, 0.0, 0.0, 0.0)
    return grow.apply(landmarks), grow.inverse().then(crop)


def test_blurred_compares_with_the_clip_itself() -> None:
    random = np.random.default_rng(0)
    detail = 200 * np.exp(random.normal(0, 0.1, 300)).astype(np.float32)
    detail[100:110] /= 6
    detail[150] = 0  # not seen: must count neither way
    seen = np.ones(300, bool)
    seen[150] = False
    assert np.flatnonzero(blurred(detail, seen, 0.35) & seen).tolist() == list(range(100, 110))
    # A clip that varies a lot by itself is given room.
    restless = 200 * np.exp(random.normal(0, 0.5, 300)).astype(np.float32)
    assert blurred(restless, np.ones(300, bool), 0.35).mean() < 0.01


def test_misfit_wants_far_worse_than_usual() -> None:
    error = np.full(50, 0.03, np.float32) + np.linspace(0, 0.004, 50, dtype=np.float32)
    error[20] = 0.3
    error[30] = 0.05  # worse than usual, yet a good fit
    assert np.flatnonzero(misfit(error, np.ones(50, bool))).tolist() == [20]


def test_sharpness_is_a_share_of_the_best() -> None:
    detail = np.linspace(0, 100, 101).astype(np.float32)
    seen = np.ones(101, bool)
    seen[50] = False
    values = sharpness(detail, seen)
    assert values[50] == 0
    assert values.max() == 1
    assert values[25] == pytest.approx(0.25, abs=0.01)


def followed(faces: list[Sighting | None], jumped: np.ndarray | None = None) -> Followed:
    nothing = np.zeros(len(faces), bool)
    return Followed(tuple(faces), nothing if jumped is None else jumped, nothing, nothing, 1)


def test_each_reason_has_its_flag(make_actor: Any) -> None:
    actor = make_actor(1)
    faces: list[Sighting | None] = [actor.at(320, 180, 120) for _ in range(30)]
    faces[3] = actor.at(320, 180, 30)
    faces[5] = actor.at(625, 180, 120)
    faces[7] = None
    faces[9] = None
    jumped = np.zeros(30, bool)
    jumped[[9, 12]] = True
    landmarks = np.stack([np.zeros((478, 3), np.float32) if f is None else f.landmarks for f in faces])
    detail = np.full(30, 100, np.float32)
    detail[15] = 5
    error = np.full(30, 0.01, np.float32)
    error[18] = 0.5
    flags = flag_frames(followed(faces, jumped), landmarks, detail, error, 640, 360, TrackSettings())
    expected = np.zeros(30, np.int32)
    expected[3] = Flag.SMALL
    expected[5] = Flag.EDGE
    expected[7] = Flag.NO_FACE
    expected[9] = expected[12] = Flag.JUMPED  # 9 shows somebody else
    expected[15] = Flag.BLURRED
    expected[18] = Flag.OCCLUDED
    np.testing.assert_array_equal(flags, expected)


@pytest.fixture
def lit(make_actor: Any) -> Callable[[int], list[Sighting]]:
    """A face whose light changes all the time: brighter, warmer, from the left, from the right."""

    def make(count: int) -> list[Sighting]:
        actor = make_actor(4)
        out = []
        for n in range(count):
            face = actor.at(300, 180, 120)
            x = (face.landmarks[list(SKIN), 0] - 300) / 60
            light = np.stack([8 * np.sin(n / 9) + 7 * x * np.cos(n / 5), 3 * np.sin(n / 7) + 0 * x, 0 * x], 1)
            out.append(Sighting(face.landmarks, (face.colours + light).clip(0, 255).astype(np.uint8)))
        return out

    return make


def test_changing_light_covers_nothing(lit: Callable[[int], list[Sighting]]) -> None:
    assert covered_share(lit(80)).max() < 0.1


def test_a_box_over_part_of_the_face_is_measured(lit: Callable[[int], list[Sighting]]) -> None:
    faces: list[Sighting | None] = list(lit(80))
    height = faces[0].landmarks[list(SKIN), 1]  # type: ignore[union-attr]
    under = height > np.quantile(height, 0.6)
    for n in range(30, 40):
        face = faces[n]
        assert face is not None
        colours = face.colours.copy()
        colours[under] = (40, 128, 100)
        faces[n] = Sighting(face.landmarks, colours)
    faces[50] = None
    share = covered_share(faces)
    assert share[30:40].min() > 0.25
    assert share[30:40].max() < 0.6
    assert share[:30].max() < 0.1
    assert share[50] == 0


def test_one_look_at_a_hand_is_not_believed_two_are() -> None:
    looked = np.arange(0, 60, 6)
    shares = np.zeros(10)
    shares[2] = 0.3  # frame 12, alone
    shares[5:8] = 0.2  # frames 30, 36, 42
    covered = under_hands(looked, shares, 60)
    assert not covered[:27].any()
    assert covered[27:45].all()
    assert not covered[47:].any()
    assert not under_hands(np.array([], int), np.array([]), 5).any()
