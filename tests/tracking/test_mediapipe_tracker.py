from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from studio.domain.camera import Similarity
from studio.domain.problem import Problem
from studio.tracking.landmarker_tracker import LandmarkerTracker
from studio.tracking.mediapipe_tracker import MediapipeTracker
from studio.tracking.quiet import quiet
from studio.tracking.tracker import Face, Settled, overlap, without_doubles

Move = Callable[..., np.ndarray]


@pytest.fixture
def tracker() -> Iterator[MediapipeTracker]:
    with quiet():
        made = MediapipeTracker()
        yield made
        made.close()


def test_landmarks_follow_a_known_similarity(
    tracker: MediapipeTracker,
    portrait: np.ndarray,
    move_picture: Move,
    swaying: Callable[[int], Similarity],
) -> None:
    """A 100 px face: the mesh agrees with the true movement to about a pixel, without a constant shift."""
    for _ in range(3):
        (still,) = tracker.faces(portrait)
    errors = []
    for frame in range(0, 40, 2):
        (face,) = tracker.faces(move_picture(portrait, swaying(frame)))
        errors.append(face.landmarks[:, :2] - swaying(frame).apply(still.landmarks[:, :2]))
    distance = np.linalg.norm(np.array(errors), axis=-1)
    assert distance.mean() < 1.0
    assert np.abs(np.array(errors).mean((0, 1))).max() < 0.6


def test_depth_grows_towards_the_camera(tracker: MediapipeTracker, portrait: np.ndarray) -> None:
    (face,) = tracker.faces(portrait)
    nose, ears = face.landmarks[4], face.landmarks[[234, 454]]
    assert nose[2] > ears[:, 2].max()


def test_eyes_and_mouth_are_where_they_are_seen(tracker: MediapipeTracker, portrait: np.ndarray) -> None:
    """Against positions read off the picture: pupils and the mouth's middle."""
    (face,) = tracker.faces(portrait)
    pupils = face.landmarks[[468, 473], :2]
    assert pupils[0, 0] < pupils[1, 0]
    np.testing.assert_allclose(pupils, [[128, 98], [170, 98]], atol=14)


def test_a_small_face_in_a_large_frame_is_found_and_placed(
    tracker: MediapipeTracker, portrait: np.ndarray, move_picture: Move
) -> None:
    """A face of 45 px in a portrait-format frame of 1080x1920, as of someone across the room."""
    (still,) = tracker.faces(portrait)
    place = Similarity(0.45, 0.0, 520.0, 1100.0)
    found = []
    for _ in range(6):
        picture = np.full((1920, 1080, 3), 120, np.uint8)
        small = move_picture(portrait, Similarity(0.45, 0, 0, 0), 130, 130)
        picture[1100:1230, 520:650] = small
        found = tracker.faces(picture)
    (face,) = found
    error = np.linalg.norm(face.landmarks[:, :2] - place.apply(still.landmarks[:, :2]), axis=1)
    assert error.mean() < 1.5


def test_two_faces_are_two(tracker: MediapipeTracker, portrait: np.ndarray, stranger: np.ndarray) -> None:
    pair = np.concatenate([portrait, stranger], 1)
    for _ in range(3):
        faces = tracker.faces(pair)
    left, right = sorted(face.box[0] for face in faces)
    assert left < 288 < right


def test_an_empty_picture_has_no_face(tracker: MediapipeTracker) -> None:
    assert tracker.faces(np.full((240, 320, 3), 90, np.uint8)) == []


def test_no_two_faces_in_one_place() -> None:
    assert overlap((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 10, 10), (10, 0, 20, 10)) == 0
    points = np.random.default_rng(0).uniform(0, 100, (478, 3)).astype(np.float32)
    first, second, far = Face(points), Face(points + np.float32(8)), Face(points + np.float32(300))
    assert without_doubles([first, second, far], []) == [first, far]
    # Of two in one place the one that continues the picture before stays, whatever the order.
    before = [Face(points + np.float32(9))]
    assert without_doubles([first, second, far], before) == [second, far]
    assert without_doubles([far, second, first], before) == [second, far]


def landmarker_file() -> Path:
    root = Path(__file__).resolve().parents[2]
    return Path(os.environ.get("AVATAR_STUDIO_MODELS", root / "../shared/models")) / "face_landmarker.task"


def test_the_landmarker_agrees_with_the_mesh_and_scores(
    tracker: MediapipeTracker, portrait: np.ndarray
) -> None:
    if not landmarker_file().exists():
        pytest.skip("face_landmarker.task is not here")
    (face,) = tracker.faces(portrait)
    with quiet():
        other = LandmarkerTracker(landmarker_file())
        for _ in range(3):
            (same,) = other.faces(portrait)
        other.close()
    assert np.linalg.norm(same.landmarks[:, :2] - face.landmarks[:, :2], axis=1).mean() < 3
    assert same.scores is not None
    scores = dict(zip(other.score_names, same.scores, strict=True))
    assert len(scores) == 52
    assert scores["mouthSmileLeft"] > 0.5  # she smiles
    assert scores["eyeBlinkLeft"] < 0.5


def test_a_missing_or_wrong_landmarker_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="missing"):
        LandmarkerTracker(tmp_path / "face_landmarker.task")
    wrong = tmp_path / "wrong.task"
    wrong.write_bytes(b"nothing of the kind" * 50)
    with pytest.raises(Problem, match="not a face landmarker"):
        LandmarkerTracker(wrong)


def test_what_was_forgotten_says_nothing_of_the_next_picture(
    tracker: MediapipeTracker, portrait: np.ndarray, move_picture: Move
) -> None:
    alone = Settled(tracker, tracker.forget)
    (first,) = alone.faces(portrait)
    alone.faces(move_picture(portrait, Similarity(0.9, 0.1, 8.0, 5.0)))
    alone.faces(np.full_like(portrait, 90))
    (again,) = alone.faces(portrait)
    assert np.array_equal(first.landmarks, again.landmarks)
