"""A photo becomes a sequence of one frame, or a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.track_video import track_video
from studio.domain.camera import Similarity
from studio.domain.problem import Problem
from studio.domain.sequence import Flag
from studio.project.people_files import load_people
from studio.project.sequence_files import MaskReader, load_sequence
from studio.tracking.settings import TrackSettings
from studio.tracking.tracker import SETTLING, Face, Settled


def save(path, picture):
    Image.fromarray(picture).save(path)
    return path


def test_a_photo_is_tracked(portrait, tmp_path):
    sequence = track_video(save(tmp_path / "me.png", portrait), tmp_path / "tracked")
    assert len(sequence) == 1
    assert sequence.still
    assert sequence.good.all()
    assert sequence.used == slice(0, 1)
    again = load_sequence(tmp_path / "tracked")
    assert np.array_equal(again.landmarks, sequence.landmarks)
    with MaskReader(tmp_path / "tracked") as masks:
        mask = masks.read(0)
    box = Similarity.from_array(sequence.mask_boxes[0]).scaled(len(mask))
    nose = box.apply(sequence.landmarks[0, 4:5, :2])[0].astype(int)
    assert mask[nose[1], nose[0]] > 250
    assert mask.min() == 0


def test_it_lies_where_a_clip_of_it_is_tracked(portrait, write_clip, tmp_path):
    clip = write_clip([portrait] * 20)
    many = track_video(clip, tmp_path / "clip", TrackSettings(smoothing=0.0))
    one = track_video(save(tmp_path / "me.png", portrait), tmp_path / "photo")
    height = np.ptp(one.landmarks[0, :, 1])
    for frame in (0, 1, -1):
        away = np.linalg.norm((one.landmarks[0] - many.landmarks[frame])[:, :2], axis=-1).mean()
        assert away < 0.006 * height, frame


class Creeping:
    """Comes nearer with every look, as trackers do, and loses everybody after ``lost`` looks."""

    name, score_names = "creeping", ()

    def __init__(self, lost=99):
        self.looks, self.lost, self.place = 0, lost, 0.0

    def faces(self, picture):
        self.looks += 1
        if self.looks > self.lost:
            return []
        square = np.tile(np.linspace(0.0, 100.0, 478, dtype=np.float32)[:, None], 3)
        return [Face(square + np.float32(self.place + 10.0 / self.looks))]

    def close(self):
        self.looks = -1


def test_a_single_picture_is_looked_at_until_it_stays(portrait):
    tracker = Creeping()
    (face,) = Settled(tracker).faces(portrait)
    assert tracker.looks == SETTLING
    assert face.landmarks[0, 0] == pytest.approx(10.0 / SETTLING)
    (kept,) = Settled(Creeping(lost=3)).faces(portrait)
    assert kept.landmarks[0, 0] == pytest.approx(10.0 / 3.0)
    nobody = Creeping(lost=0)
    assert Settled(nobody).faces(portrait) == []
    assert nobody.looks == 1


def test_a_clip_is_looked_at_again_only_where_a_face_is_new(portrait):
    tracker = Creeping()
    settled = Settled(tracker)
    looks = []
    for place in (0.0, 2.0, 5.0, 60.0, 62.0):
        tracker.place, before = place, tracker.looks
        settled.faces(portrait)
        looks.append(tracker.looks - before)
    assert looks == [SETTLING, 1, 1, SETTLING, 1]


def test_pictures_by_themselves_are_forgotten(portrait):
    tracker, forgotten = Creeping(), []
    settled = Settled(tracker, lambda: forgotten.append(tracker.looks))
    for _ in range(3):
        settled.faces(portrait)
    assert forgotten == [0, SETTLING, 2 * SETTLING]
    assert tracker.looks == 3 * SETTLING


def test_of_several_people_any_can_be_chosen(portrait, stranger, tmp_path):
    photo = save(tmp_path / "both.png", np.concatenate([portrait, stranger], 1))
    first = track_video(photo, tmp_path / "0", TrackSettings(person="0"))
    second = track_video(photo, tmp_path / "1", TrackSettings(person="1"))
    assert first.landmarks[0, :, 0].max() < 288 < second.landmarks[0, :, 0].min()
    people = load_people(tmp_path / "1")
    assert people is not None
    assert [one.number for one in people.people] == [0, 1]
    assert people.chosen == 1
    with pytest.raises(Problem, match="0 to 1 from left to right"):
        track_video(photo, tmp_path / "2", TrackSettings(person="2"))


def test_twins_in_one_picture_are_two_people(portrait, tmp_path):
    photo = save(tmp_path / "twins.png", np.concatenate([portrait, portrait[:, ::-1]], 1))
    track_video(photo, tmp_path / "t")
    people = load_people(tmp_path / "t")
    assert people is not None
    assert len(people.people) == 2


def refused(photo, folder):
    with pytest.raises(Problem) as problem:
        track_video(photo, folder)
    assert not folder.exists()
    text = str(problem.value)
    assert text.endswith(".")
    assert "photo" in text
    assert len(text) < 170
    return text


def test_nobody(tmp_path):
    noise = np.random.default_rng(0).integers(90, 110, (300, 300, 3), np.uint8)
    assert "No face was found" in refused(save(tmp_path / "wall.png", noise), tmp_path / "t")


def test_a_tiny_face(portrait, tmp_path):
    small = np.asarray(Image.fromarray(portrait).resize((130, 130)))
    text = refused(
        save(tmp_path / "far.png", np.pad(small, [(60, 60), (60, 60), (0, 0)], "edge")), tmp_path / "t"
    )
    assert "pixels high" in text
    assert "64" in text


def test_a_face_that_is_cut_off(portrait, tmp_path):
    sequence = track_video(save(tmp_path / "me.png", portrait), tmp_path / "whole")
    chin = int(sequence.landmarks[0, 152, 1])
    half = portrait[: chin - 24]
    assert "beyond its edge" in refused(save(tmp_path / "cut.png", half), tmp_path / "t")
    assert int(sequence.flags[0]) == int(Flag.GOOD)


def test_a_photo_cannot_be_trimmed_away(portrait, tmp_path):
    with pytest.raises(Problem, match="earlier start"):
        track_video(save(tmp_path / "me.png", portrait), tmp_path / "t", TrackSettings(start=2.0))
    assert not Path(tmp_path / "t").exists()
