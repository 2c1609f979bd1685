"""A trimmed clip keeps the clip's frame numbers, its key changes, and nobody looks outside the part."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pipelines.import_job import import_clip, retrack, track_settings, tracked_sequence, tracking_job
from pipelines.job import MADE, read_job
from pipelines.pick_pivots import PivotSettings, pick_pivots
from pipelines.track_video import track_video
from studio.domain.camera import Similarity
from studio.domain.problem import Problem
from studio.domain.sequence import Flag
from studio.project.documents import write_document
from studio.project.lineage import key_of
from studio.project.people_files import load_people
from studio.project.sequence_files import MaskReader, load_sequence
from studio.project.store import Store
from studio.tracking.settings import TrackSettings
from studio.tracking.trimming import chosen_frames

Write = Callable[..., Path]
Sway = Callable[[int], Similarity]
Move = Callable[..., np.ndarray]
RATE = Fraction(30000, 1001)


@pytest.mark.parametrize("frame", [0, 1, 17, 448])
def test_a_second_that_was_counted_from_a_frame_means_that_frame(frame: int) -> None:
    second = float(frame / RATE)
    assert chosen_frames(TrackSettings(start=second), RATE, 450) == slice(frame, 450)
    assert chosen_frames(TrackSettings(end=float((frame + 1) / RATE)), RATE, 450) == slice(0, frame + 1)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (TrackSettings(start=15.1), "lasts 15.0 seconds"),
        (TrackSettings(start=5.0, end=5.0), "Nothing lies between"),
        (TrackSettings(start=5.0, end=5.001), "No frame lies between"),
    ],
)
def test_a_part_that_is_empty_is_refused_in_words(settings: TrackSettings, said: str) -> None:
    with pytest.raises(Problem, match=said):
        chosen_frames(settings, RATE, 450)


def test_an_end_beyond_the_clip_is_its_end() -> None:
    assert chosen_frames(TrackSettings(start=1.0, end=1e9), Fraction(30), 90) == slice(30, 90)


def test_trimming_changes_the_key_and_not_trimming_leaves_it_as_it_was() -> None:
    def key(settings: TrackSettings) -> str:
        return key_of("track", 3, {"clip": "a"}, settings)

    before = {name: value for name, value in vars(TrackSettings()).items() if name not in ("start", "end")}
    assert key(TrackSettings()) == key_of("track", 3, {"clip": "a"}, before)
    trimmed = {key(TrackSettings(start=1.0)), key(TrackSettings(end=1.0)), key(TrackSettings(start=0.5))}
    assert len(trimmed | {key(TrackSettings())}) == 4


def test_a_trimmed_clip_is_tracked_inside_and_kept_in_the_clips_own_numbers(
    portrait: np.ndarray, move_picture: Move, swaying: Sway, write_clip: Write, tmp_path: Path
) -> None:
    shown = [move_picture(portrait, swaying(frame)) for frame in range(40)]
    wall = np.full_like(portrait, 128)
    video = write_clip([wall] * 12 + shown + [wall] * 8)
    settings = TrackSettings(start=12 / 30, end=52 / 30)
    told: list[tuple[int, int | None]] = []
    written = track_video(video, tmp_path / "tracked", settings, progress=lambda d, t, w: told.append((d, t)))
    sequence = load_sequence(tmp_path / "tracked")
    assert len(sequence) == len(written) == 60
    assert sequence.used == slice(12, 52)
    assert load_people(tmp_path / "tracked") is None  # nobody to choose from
    assert (sequence.flags[:12] == int(Flag.TRIMMED)).all()
    assert (sequence.flags[52:] == int(Flag.TRIMMED)).all()
    assert sequence.good[12:52].all()
    assert max(total for _, total in told if total) == 40  # nobody looked at the rest
    # Frame 12 + n shows what was the portrait's frame n.
    nose = np.stack([swaying(n).inverse().apply(sequence.landmarks[12 + n, 4, :2]) for n in range(40)])
    assert np.linalg.norm(nose - nose.mean(0), axis=1).max() < 2.5
    np.testing.assert_array_equal(sequence.landmarks[:12], np.repeat(sequence.landmarks[12:13], 12, 0))
    np.testing.assert_array_equal(sequence.motion.angles[52:], np.repeat(sequence.motion.angles[51:52], 8, 0))
    with MaskReader(tmp_path / "tracked") as masks:
        assert len(masks) == 60
        assert masks.read(0).max() == masks.read(59).max() == 0
        assert masks.read(12).max() == masks.read(51).max() == 255
    # What comes after looks inside the part only, and holds out the part's end.
    train, held_out = sequence.split(0.2)
    assert (train, held_out) == (slice(12, 44), slice(44, 52))
    pivots = pick_pivots(sequence, PivotSettings(count=4), train)
    assert pivots.learnt_from == (12, 44)
    assert pivots.frames.min() >= 12


def test_a_part_without_the_person_says_so(portrait: np.ndarray, write_clip: Write, tmp_path: Path) -> None:
    video = write_clip([portrait] * 20)
    with pytest.raises(Problem, match="chosen part has only 6 frames"):
        track_video(video, tmp_path / "tracked", TrackSettings(start=0.0, end=0.2))
    assert not (tmp_path / "tracked").exists()


def test_several_people_leave_a_picture_each(
    portrait: np.ndarray, stranger: np.ndarray, write_clip: Write, tmp_path: Path
) -> None:
    both, one = np.concatenate([portrait, stranger], 1), np.concatenate([portrait, portrait * 0 + 90], 1)
    video = write_clip([one] * 6 + [both] * 14 + [one] * 10)
    settings = TrackSettings(person="1", start=0.1)
    track_video(video, tmp_path / "tracked", settings)
    people = load_people(tmp_path / "tracked")
    assert people is not None
    assert people.chosen == 1
    assert [person.number for person in people.people] == [0, 1]
    assert people.people[0].share == pytest.approx(1.0)
    assert people.people[1].share == pytest.approx(14 / 27, abs=0.08)
    assert 3 <= people.people[0].frame < 30
    assert 6 <= people.people[1].frame < 20
    # The pictures show whom they should: each is nearer to its own source than to the other's.
    for person, own, other in (
        (people.people[0], portrait, stranger),
        (people.people[1], stranger, portrait),
    ):
        assert person.picture.shape == (160, 160, 3)
        middle = person.picture[60:100, 60:100].reshape(-1, 3).mean(0)
        faces = [picture[80:150, 100:180].reshape(-1, 3).mean(0) for picture in (own, other)]
        assert np.linalg.norm(middle - faces[0]) < np.linalg.norm(middle - faces[1])


def test_damaged_people_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "people.json").write_text('{"schema_version": 1, "people": [{"number": 0}], "chosen": 0}')
    with pytest.raises(Problem, match="import the clip again"):
        load_people(tmp_path)


def test_tracking_again_plans_a_new_job_and_undoing_it_leaves_the_clip_as_it_was(
    portrait: np.ndarray, write_clip: Write, tmp_path: Path
) -> None:
    store = Store(tmp_path / "home")
    first = import_clip(store, "Ann", write_clip([portrait] * 30))
    assert first.job is not None
    first.sequence.mkdir(parents=True)
    write_document(first.sequence / "made.json", MADE, {"key": first.sequence.name})
    subject = store.find("Ann")
    assert tracked_sequence(subject.clip(None)) == first.sequence
    with pytest.raises(Problem, match=r"lasts 1\.0 seconds"):
        retrack(subject, subject.clip(None), TrackSettings(start=2.0))
    assert track_settings(subject.clip(None)) == TrackSettings()

    again = retrack(subject, subject.clip(None), TrackSettings(start=0.2))
    assert again.job is not None
    assert again.job != first.job
    assert tracking_job(subject, again.clip) == again.job
    assert read_job(again.job).steps[0].settings["start"] == 0.2
    assert track_settings(subject.clip(None)).start == 0.2  # builds start from it at once
    assert tracked_sequence(subject.clip(None)) is None
    again.undo()
    assert not again.job.exists()
    assert track_settings(subject.clip(None)) == TrackSettings()
    assert tracked_sequence(subject.clip(None)) == first.sequence
    assert retrack(subject, subject.clip(None), TrackSettings()).job is None  # found again
