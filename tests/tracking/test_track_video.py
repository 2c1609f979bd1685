"""The whole way from a file to a tracked sequence, on clips of a public-domain portrait."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipelines.track_video import track_video
from studio.domain.camera import Similarity
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted
from studio.domain.sequence import Flag, TrackedSequence
from studio.head import fit_landmarks
from studio.media import read_selected
from studio.project.sequence_files import MaskReader, load_sequence
from studio.tracking.quality import report
from studio.tracking.settings import TrackSettings

Write = Callable[..., Path]
Sway = Callable[[int], Similarity]
Move = Callable[..., np.ndarray]
FRAMES = 60


@pytest.fixture
def clean(portrait: np.ndarray, move_picture: Move, swaying: Sway) -> list[np.ndarray]:
    """The portrait, swaying."""
    return [move_picture(portrait, swaying(frame)) for frame in range(FRAMES)]


def has(sequence: TrackedSequence, flag: Flag) -> np.ndarray:
    return (sequence.flags & int(flag)) != 0


def test_a_clean_clip(clean: list[np.ndarray], write_clip: Write, swaying: Sway, tmp_path: Path) -> None:
    video = write_clip(clean)
    folder = tmp_path / "tracked"
    told: list[tuple[int, str]] = []
    sequence = track_video(video, folder, progress=lambda done, total, what: told.append((done, what)))
    assert len(sequence) == FRAMES
    assert sequence.good.all(), report(sequence.flags)
    assert (sequence.width, sequence.height, float(sequence.rate)) == (288, 288, 30.0)
    assert {what for _, what in told} >= {"finding the face", "cutting the person out"}

    # Landmarks follow the true movement: undone, they stand still.
    still = np.stack([swaying(n).inverse().apply(sequence.landmarks[n, :, :2]) for n in range(FRAMES)])
    assert np.linalg.norm(still - still.mean(0), axis=-1).mean() < 0.8

    # So does the aligned crop, in size, turn and place.
    crops = [Similarity.from_array(crop) for crop in sequence.crops]
    undone = np.stack([swaying(n).then(crops[n]).to_array() for n in range(FRAMES)])
    corners = np.stack(
        [
            swaying(n).inverse().apply(crops[n].inverse().apply(np.eye(2, dtype=np.float32)))
            for n in range(FRAMES)
        ]
    )
    assert np.linalg.norm(corners - corners.mean(0), axis=-1).mean() < 3.0
    assert undone[:, 0].std() / undone[:, 0].mean() < 0.02

    # The head pose sees the turn of the picture as roll (clockwise on screen is positive).
    turn = np.rad2deg([swaying(n).angle for n in range(FRAMES)])
    roll = sequence.motion.angles[:, 2]
    np.testing.assert_allclose(roll - roll.mean(), turn - turn.mean(), atol=2.0)

    # A crop put back into the frame gives the frame again.
    view = sequence.crop_view(30, 256)
    _, frame = next(iter(read_selected(video, [30])))
    crop = cv2.warpAffine(frame, view.placement.pixel_matrix, (256, 256), borderMode=cv2.BORDER_REPLICATE)
    back = cv2.warpAffine(crop, view.placement.inverse().pixel_matrix, (288, 288), flags=cv2.INTER_LINEAR)
    inside = cv2.warpAffine(
        np.ones((256, 256), np.uint8),
        view.placement.inverse().pixel_matrix,
        (288, 288),
        flags=cv2.INTER_NEAREST,
    )
    inside = cv2.erode(inside, np.ones((5, 5), np.uint8)) > 0
    assert inside.mean() > 0.2
    assert np.abs(back.astype(int) - frame)[inside].mean() < 3

    # Masks: the face is in, the corner of the picture is out.
    with MaskReader(folder) as masks:
        assert len(masks) == FRAMES
        box = Similarity.from_array(sequence.mask_boxes[30]).scaled(256)
        mask = masks.read(30)
        nose = np.floor(box.apply(sequence.landmarks[30, 4, :2])).astype(int)
        assert mask[nose[1], nose[0]] > 240
        top = np.floor(box.apply(np.array([4.0, 4.0]))).astype(int).clip(0, 255)
        assert mask[top[1], top[0]] < 15

    loaded = load_sequence(folder)
    np.testing.assert_array_equal(loaded.landmarks, sequence.landmarks)
    assert loaded.head_model == sequence.head_model
    assert sorted(path.name for path in folder.iterdir()) == ["masks.zip", "sequence.json", "sequence.npz"]


def test_spoilt_stretches_are_flagged_for_what_they_are(
    clean: list[np.ndarray],
    stranger: np.ndarray,
    move_picture: Move,
    swaying: Sway,
    write_clip: Write,
    tmp_path: Path,
) -> None:
    spoilt = list(clean) + list(clean)
    for n in range(10, 16):
        spoilt[n] = cv2.GaussianBlur(spoilt[n], (0, 0), 4)
    for n in range(30, 40):
        spoilt[n] = np.zeros_like(spoilt[n])
    for n in range(60, 70):  # a microphone, say, before mouth and cheek
        spoilt[n] = spoilt[n].copy()
        cv2.rectangle(spoilt[n], (95, 118), (150, 190), (30, 60, 30), -1)
    for n in range(90, 100):
        spoilt[n] = move_picture(stranger, swaying(n - 60))
    sequence = track_video(write_clip(spoilt), tmp_path / "tracked")
    lines = report(sequence.flags)
    assert np.flatnonzero(has(sequence, Flag.NO_FACE)).tolist() == list(range(30, 40)), lines
    assert has(sequence, Flag.BLURRED)[11:15].all(), lines
    assert has(sequence, Flag.OCCLUDED)[61:69].mean() > 0.7, lines
    assert has(sequence, Flag.JUMPED)[90:100].all(), lines
    kept = np.r_[0:9, 17:29, 42:59, 72:89, 103:120]
    assert sequence.good[kept].mean() > 0.95, lines
    # What lies in a gap is carried over it, without a hole or a leap.
    assert np.isfinite(sequence.landmarks).all()
    steps = np.linalg.norm(np.diff(sequence.landmarks[25:45, 4, :2], axis=0), axis=1)
    assert steps.max() < 12


def test_two_people_who_swap_places(
    portrait: np.ndarray, stranger: np.ndarray, write_clip: Write, tmp_path: Path
) -> None:
    one, two = np.concatenate([portrait, stranger], 1), np.concatenate([stranger, portrait], 1)
    sequence = track_video(
        write_clip([one] * 20 + [two] * 20), tmp_path / "tracked", TrackSettings(person="0")
    )
    nose = sequence.landmarks[:, 4, 0]
    assert (nose[:20] < 288).all()
    assert (nose[20:] > 288).all()  # still the same person
    assert has(sequence, Flag.JUMPED)[20]
    assert sequence.good[:19].all()
    assert sequence.good[24:].all()
    other = track_video(write_clip([one] * 12), tmp_path / "other", TrackSettings(person="1"))
    assert (other.landmarks[:, 4, 0] > 288).all()


def test_a_face_lost_half_way_is_flagged_not_refused(
    clean: list[np.ndarray], write_clip: Write, tmp_path: Path
) -> None:
    wall = np.full_like(clean[0], 128)
    sequence = track_video(write_clip(clean[:30] + [wall] * 30), tmp_path / "tracked")
    assert has(sequence, Flag.NO_FACE)[30:].all()
    assert sequence.good[:30].all()
    assert report(sequence.flags) == ["frames 30–59: no face was found"]


def test_the_persons_shape_is_not_learnt_from_the_end_of_the_clip(
    clean: list[np.ndarray], write_clip: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines import track_video as module

    allowed = []

    def listen(*args: Any, **named: Any) -> Any:
        allowed.append(named["shape_from"])
        return fit_landmarks(*args, **named)

    monkeypatch.setattr(module, "fit_landmarks", listen)
    track_video(write_clip(clean[:20]), tmp_path / "tracked")
    assert allowed[0].tolist() == [True] * 16 + [False] * 4


@pytest.mark.parametrize(
    ("faces", "blanks", "sentence"),
    [(0, 20, "No face was found"), (3, 0, "only 3 frames"), (5, 15, "only 5 of 20 frames")],
)
def test_too_little_to_work_with(
    clean: list[np.ndarray], write_clip: Write, tmp_path: Path, faces: int, blanks: int, sentence: str
) -> None:
    wall = np.full_like(clean[0], 128)
    home = tmp_path / "home"
    home.mkdir()
    with pytest.raises(Problem, match=sentence):
        track_video(write_clip(clean[:faces] + [wall] * blanks), home / "tracked")
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("stage", ["finding the face", "cutting the person out"])
def test_an_interruption_leaves_nothing_half_written(
    clean: list[np.ndarray], write_clip: Write, tmp_path: Path, stage: str
) -> None:
    def interrupt(done: int, total: int | None, what: str) -> None:
        if what == stage and done == 5:
            raise Interrupted

    home = tmp_path / "home"
    home.mkdir()
    with pytest.raises(Interrupted):
        track_video(write_clip(clean[:15]), home / "tracked", progress=interrupt)
    assert list(home.iterdir()) == []


def test_not_a_video(tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("not a video")
    with pytest.raises(Problem):
        track_video(text, tmp_path / "tracked")
    assert not (tmp_path / "tracked").exists()


def edge_clip(name: str) -> Path:
    root = Path(__file__).resolve().parents[2]
    folder = Path(os.environ.get("AVATAR_STUDIO_CLIPS", root / "../shared/clips"))
    path = folder / "edge" / name
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    return path


@pytest.mark.slow
def test_a_face_then_a_drawing(tmp_path: Path) -> None:
    """In the clip a person is followed by a cartoon, for somewhat more than half its length."""
    sequence = track_video(edge_clip("pyfeat__face_noface.mov"), tmp_path / "tracked")
    lost = has(sequence, Flag.NO_FACE)
    assert sequence.good[:50].all()
    assert lost[70:].mean() > 0.95


@pytest.mark.slow
def test_a_clip_without_anybody(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="No face was found"):
        track_video(edge_clip("pyfeat__no_face.mp4"), tmp_path / "tracked")


@pytest.mark.slow
def test_a_mannequin_on_a_turntable_turns_evenly(tmp_path: Path) -> None:
    """One turn in 361 frames: where the face is seen, yaw passes the front at a degree a frame."""
    sequence = track_video(edge_clip("faceunwrap__head.mp4"), tmp_path / "tracked")
    yaw, seen = sequence.motion.angles[:, 0], ~has(sequence, Flag.NO_FACE) & ~has(sequence, Flag.JUMPED)
    near = seen & (np.abs(yaw) < 35)
    near[:-1] &= near[1:]
    speed = np.diff(yaw)[near[:-1]]
    assert near.sum() > 40
    assert np.abs(speed).mean() == pytest.approx(1.0, abs=0.35)
    assert (np.sign(speed) == np.sign(np.median(speed))).mean() > 0.9
