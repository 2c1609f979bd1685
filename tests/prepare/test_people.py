from __future__ import annotations

import numpy as np
import pytest

from pipelines.split_people import split_people
from pipelines.tell_people_apart import (
    Measure,
    frontal,
    read_identities,
    same_people,
    shape_measure,
    vectors_of,
)
from studio.domain.problem import Problem
from tests.corpus.small_corpus import write_small_corpus


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    people = dict.fromkeys("abcdef", ("train", 1))
    return write_small_corpus(tmp_path_factory.mktemp("p") / "c", people, frames=16).clips  # type: ignore[arg-type]


def on_a_circle(clips, *degrees):
    """Vectors whose cosines are known."""
    turns = np.deg2rad(degrees)
    return {clip.name: np.array([np.cos(a), np.sin(a)], np.float32) for clip, a in zip(clips, turns)}


def test_who_is_alike_to_somebody_alike_is_the_same_person(clips):
    vectors = on_a_circle(clips, 0, 120, 25, 50, 240, 125)
    people = same_people(clips, vectors, float(np.cos(np.deg2rad(30))), {})
    # a - c - d are a chain of 25 degrees each, b and f are 5 apart, e is alone.
    assert people == {"a0": "a0", "c0": "a0", "d0": "a0", "b0": "b0", "f0": "b0", "e0": "e0"}


def test_no_two_sides_of_a_split_are_alike(clips):
    random = np.random.default_rng(4)
    for _ in range(20):
        vectors = on_a_circle(clips, *random.uniform(0, 360, 6))
        people = same_people(clips, vectors, 0.9, {})
        sides, _ = split_people(people, 0.5, {})
        for one in clips:
            for other in clips:
                if sides[people[one.name]] != sides[people[other.name]]:
                    assert vectors[one.name] @ vectors[other.name] < 0.9


def test_what_somebody_says_holds_whatever_faces_say(clips):
    vectors = on_a_circle(clips, 0, 1, 2, 90, 91, 180)
    named = {"a0": "Ann", "b0": "Bob", "f0": "Ann"}
    people = same_people(clips, vectors, 0.99, named)
    # c is 2 degrees from a and 1 from b: Bob. d and e were not spoken of.
    assert people == {"a0": "Ann", "b0": "Bob", "c0": "Bob", "d0": "d0", "e0": "d0", "f0": "Ann"}


def test_a_name_by_hand_that_is_a_clips_own_stays_one_persons(clips):
    vectors = on_a_circle(clips, 0, 60, 120, 180, 240, 300)
    people = same_people(clips, vectors, 0.9, {"a0": "c0"})
    assert people["a0"] == "c0"
    assert people["c0"] not in ("c0", people["b0"])


def test_a_list_is_read_by_file_or_clip_name(clips, tmp_path):
    file = tmp_path / "who.txt"
    file.write_text("# who is who\n\na0.mp4  Ann Lee\nb0\tBob\n", encoding="utf-8")
    assert read_identities(file, clips) == {"a0": "Ann Lee", "b0": "Bob"}
    for line, said in (("zoe Zoe", "Line 1"), ("a0", "Line 1"), ("a0x Ann", "Line 1")):
        file.write_text(line)
        with pytest.raises(Problem, match=f"{said}.*does not begin"):
            read_identities(file, clips)
    with pytest.raises(Problem, match="cannot be read"):
        read_identities(tmp_path / "none.txt", clips)


def test_the_longest_name_is_meant(clips, tmp_path):
    from dataclasses import replace

    spaced = [replace(clips[0], source="my clip.mp4"), replace(clips[1], source="my clip 2.mp4")]
    file = tmp_path / "who.txt"
    file.write_text("my clip Ann\nmy clip 2 Bob\n")
    assert read_identities(file, spaced) == {"a0": "Ann", "b0": "Bob"}


def test_frontal_frames_are_good_and_look_into_the_camera(clips):
    # Yaw is the frame's number; 0, 7 and 14 are no good. Four parts of the other thirteen.
    assert frontal(clips[0], 4).tolist() == [1, 5, 9, 12]


def test_vectors_are_made_once(clips):
    asked = []

    def vector(clip):
        asked.append(clip.name)
        return np.ones(1, np.float32)

    known = {"b0": np.zeros(1, np.float32)}
    vectors = vectors_of(clips[:3], Measure("test", "", 0.5, vector), known)
    assert asked == ["a0", "c0"]
    assert vectors["b0"] is known["b0"]


def test_shapes_are_compared_without_weights(clips):
    vector = shape_measure().vector(clips[2])
    assert np.allclose(vector, 0.5)  # its four coefficients are all 2


def test_shares_of_people_not_of_clips():
    people = {f"clip{k}": f"p{k % 10}" for k in range(100)}
    sides, both = split_people(people, 0.2, {})
    assert sorted(sides.values()) == ["held_out"] * 2 + ["train"] * 8
    assert both == []
    assert split_people(people, 0.2, {}) == (sides, both)
    assert set(split_people(people, 0.0, {})[0].values()) == {"train"}


@pytest.mark.parametrize(("share", "held_out"), [(0.01, 1), (0.99, 1), (0.5, 1)])
def test_two_people_are_on_two_sides(share, held_out):
    sides, _ = split_people({"a": "ann", "b": "bob"}, share, {})
    assert list(sides.values()).count("held_out") == held_out
    assert split_people({"a": "ann"}, 0.5, {})[0] == {"ann": "train"}


def test_people_stay_on_their_side_when_others_come():
    first = {f"clip{k}": f"p{k}" for k in range(10)}
    sides, _ = split_people(first, 0.2, {})
    before = {clip: sides[who] for clip, who in first.items()}
    more = {f"clip{k}": f"p{k}" for k in range(40)}
    later, both = split_people(more, 0.2, before)
    assert {who: later[who] for who in sides} == sides
    assert list(later.values()).count("held_out") == 8
    assert both == []


def test_two_who_turn_out_to_be_one_are_learnt_from():
    before = {"a": "train", "b": "held_out", "c": "held_out"}
    sides, both = split_people({"a": "ann", "b": "ann", "c": "cat", "d": "dan"}, 0.3, before)  # type: ignore[arg-type]
    assert sides["ann"] == "train"
    assert sides["cat"] == "held_out"
    assert both == ["ann"]
