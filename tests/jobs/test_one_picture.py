"""What a photo becomes at its import, and which frame of a clip is the picture."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from pipelines.build_instant import choose_stage
from pipelines.encode_identity import choose_source, face_square, only, what_it_hides
from pipelines.import_job import engines_of_photo
from pipelines.one_picture_settings import OnePictureSettings
from pipelines.recipes import SEMANTIC, plan
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.domain.sequence import Flag, TrackedSequence
from studio.project.store import Store
from studio.tracking.settings import TrackSettings
from tests.engines.nofa.shelved_nofa import shelve as shelve_nofa
from tests.engines.semantic.one_person import PAPER, shelve


def clip_of(frames: int = 40) -> TrackedSequence:
    """A head that turns from one side to the other, mouth and eyes at rest in the middle."""
    motion = HeadMotion.neutral(frames, np.array([600.0, 200.0, 160.0]))
    motion.angles[:, 0] = np.linspace(-30, 30, frames)
    square = np.tile(np.array([1 / 400, 0, 0, 0], np.float32), (frames, 1))
    landmarks = np.zeros((frames, 478, 3), np.float32)
    landmarks[:, 0, :2], landmarks[:, 1, :2] = (150, 100), (250, 220)
    landmarks[:, 2:, :2] = (200, 160)
    return TrackedSequence(
        width=400,
        height=320,
        rate=Fraction(25),
        landmarks=landmarks,
        crops=square,
        mask_boxes=square,
        flags=np.zeros(frames, np.int32),
        sharpness=np.ones(frames, np.float32),
        head_model="builtin-1",
        identity=np.zeros(4, np.float32),
        offset=np.zeros((478, 3), np.float32),
        motion=motion,
        fit_error=np.zeros(frames, np.float32),
        tracker="test",
    )


def choose(sequence: TrackedSequence, frame: int = -1, allowed: slice | None = None) -> int:
    return choose_source(sequence, OnePictureSettings(frame=frame), allowed or sequence.used)


def test_the_picture_is_sharp_from_the_front_and_awake() -> None:
    sequence = clip_of()
    front = choose(sequence)
    assert front in (19, 20)
    sequence.motion.eyelids[front] = 1.0
    sequence.motion.jaw[choose(sequence), 0] = 0.3
    awake = choose(sequence)
    assert awake in (18, 21)
    sequence.flags[awake] = int(Flag.BLURRED)
    assert choose(sequence) not in (19, 20, awake)
    # What is held out is not looked at, however good it is.
    assert choose(sequence, allowed=slice(0, 10)) == 9


@pytest.mark.parametrize(
    ("frame", "why"),
    [(40, "the clip ends with frame 39"), (35, "kept for judging"), (3, "the picture is blurred")],
)
def test_a_frame_that_is_named_must_fit(frame, why) -> None:
    sequence = clip_of()
    sequence.flags[3] = int(Flag.BLURRED)
    assert choose(sequence, 7, slice(0, 32)) == 7
    with pytest.raises(Problem, match=f"Frame {frame} cannot be the picture, because .*{why}"):
        choose(sequence, frame, slice(0, 32))


def test_no_good_frame_is_told() -> None:
    sequence = clip_of()
    sequence.flags[:] = int(Flag.OCCLUDED)
    with pytest.raises(Problem, match="No frame shows the face well enough"):
        choose(sequence)


def test_the_square_is_as_in_training_and_stays_in_the_picture() -> None:
    sequence = clip_of()
    square = face_square(sequence, 5, 2.0)
    assert 1.0 / square.scale == pytest.approx(240.0)  # twice the 120 pixels of the face
    middle = square.apply(np.array([[200.0, 160.0]], np.float32))[0]
    assert np.allclose(middle, 0.5, atol=1e-5)
    wide = face_square(sequence, 5, 4.0)
    assert 1.0 / wide.scale == pytest.approx(320.0)  # no more than the picture has
    corners = wide.inverse().apply(np.array([[0.0, 0.0], [1.0, 1.0]], np.float32))
    assert corners.min() > -1e-3
    assert (corners.max(0) <= (400.001, 320.001)).all()
    one = only(sequence, np.array([5]))
    assert len(one) == 1
    assert one.motion.angles[0, 0] == sequence.motion.angles[5, 0]


def test_a_photo_becomes_what_can_be_made_of_it(tmp_path) -> None:
    plain = TrackSettings()
    assert engines_of_photo(tmp_path, plain) == (("instant",), ())
    shelve(tmp_path, "tiny")
    assert engines_of_photo(tmp_path, plain) == (("instant", "semantic"), ())
    shelve_nofa(tmp_path, "tiny")
    assert engines_of_photo(tmp_path, plain) == (("instant", "semantic", "nofa"), ())
    assert engines_of_photo(tmp_path, TrackSettings(flame="generic_model.pkl")) == ((), ())
    other = tmp_path / "other"
    shelve(other, "own", replace(PAPER, keypoint_source="unsupervised"))
    engines, (sentence,) = engines_of_photo(other, plain)
    assert engines == ("instant",)
    assert "finds keypoints by itself" in sentence


def test_the_key_depends_on_the_weights_and_not_on_their_name(tmp_path) -> None:
    store = Store(tmp_path / "home")
    subject = store.add("Ann")
    file = tmp_path / "me.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n")
    clip, _ = subject.add_clip(file)

    def step(name: str = ""):
        from pipelines.recipes import TRACK

        settings = {TRACK.id: TrackSettings(), SEMANTIC.id: OnePictureSettings(model=name)}
        return plan("build", "Ann", (TRACK, SEMANTIC), clip, settings).steps[-1]

    with pytest.raises(Problem, match="train-people"):
        step()
    first = shelve(store.home, "first")
    one = step()
    assert one.inputs["base_model"] == "../../models/semantic-first"
    assert one.input_keys["base_model"] == first.digest[:16]
    first.folder.rename(first.folder.with_name("semantic-renamed"))
    assert step().key == step("renamed").key == one.key
    shelve(store.home, "second", seed=3)
    assert step("second").key != one.key


def test_the_frame_of_one_picture_leaves_room_for_hair_and_turns() -> None:
    sequence = clip_of(1)
    face = np.array([[1 / 120, 0, -140 / 120, -80 / 120]], np.float32)  # 120 pixels from (140, 80)
    known = np.array([[1 / 204, 0, -98 / 204, -50 / 204]], np.float32)
    sequence = replace(sequence, crops=face, mask_boxes=known)
    stage = choose_stage(sequence, np.array([0]), 100)
    corners = np.array([[0, 0], [stage.width, stage.height]], np.float32)
    seen = stage.placement.inverse().apply(corners)
    assert np.allclose(seen, [[98, 50], [302, 254]], atol=1.0)
    # The face keeps the pixels that it would have had in a tight window.
    assert stage.placement.scale == pytest.approx(100 / 120, rel=0.03)
    beside = replace(sequence, mask_boxes=known + np.array([0, 0, 150 / 204, 0], np.float32))
    left = choose_stage(beside, np.array([0]), 100).placement.inverse().apply(corners)[0, 0]
    assert left == pytest.approx(0.0, abs=1e-3)  # never beyond the picture
    two = replace(clip_of(2), crops=np.repeat(face, 2, 0), mask_boxes=np.repeat(known, 2, 0))
    tight = choose_stage(two, np.array([0, 1]), 100)
    assert tight.width / tight.placement.scale == pytest.approx(1.04 * 120, rel=0.02)


def test_what_a_picture_hides_is_told() -> None:
    motion = HeadMotion.neutral(1, np.array([600.0, 200.0, 160.0]))
    motion.eyelids[:] = 0.3
    motion.angles[0] = (-20.0, 10.0, 40.0)  # a roll hides nothing
    assert what_it_hides(motion) == []
    motion.eyelids[:] = (0.9, 0.8)
    (eyes,) = what_it_hides(motion)
    assert "eyes are closed" in eyes
    motion.angles[0, 0] = -38.0
    assert "turned by 38°" in what_it_hides(motion)[1]
