"""Samples are drawn once, in usual moments, and compared within them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from studio.domain.problem import Problem
from studio.domain.progress import Interrupted
from studio.editing.scored_samples import (
    attribute_scores,
    in_usual_moments,
    own_score,
    readable,
    scored,
    within_moments,
)
from tests.editing.face_of import landmarks_of
from tests.editing.small_people import LinearPerson, channel


@pytest.fixture
def person() -> LinearPerson:
    return LinearPerson(torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(1)))


def test_scores_are_those_of_each_picture(person) -> None:
    samples = person.sample(21, 0)
    scores = own_score("red", channel(0)).and_then(own_score("blue", channel(2)))
    values = scored(person, samples, scores)
    expected = torch.einsum("brw,crw->bc", samples.ws, person.colours)[:, [0, 2]]
    assert scores.names == ("red", "blue")
    assert np.allclose(values, expected, atol=1e-5)


def test_what_was_scored_is_not_drawn_again(person, tmp_path) -> None:
    samples, scores = person.sample(30, 0), own_score("red", channel(0), "red")
    first = scored(person, samples, scores, tmp_path)
    assert person.pictures == 30
    assert np.array_equal(scored(person, samples, scores, tmp_path), first)
    assert person.pictures == 30
    scored(person, person.sample(30, 1), scores, tmp_path)
    scored(person, samples, own_score("blue", channel(2), "blue"), tmp_path)
    scored(person, samples, own_score("nameless", channel(2)), tmp_path)
    assert person.pictures == 120


def test_attributes_are_kept_for_whoever_asks_next_and_drawn_once_with_other_scores(person, tmp_path) -> None:
    samples, looked = person.sample(20, 0), []

    def faces(shown: np.ndarray) -> np.ndarray:
        looked.append(len(shown))
        return np.stack([landmarks_of((10.0, 0.0, 0.0))] * len(shown))

    red = own_score("red", channel(0), "red")
    first = scored(person, samples, attribute_scores(["yaw"], faces).and_then(red), tmp_path)
    assert (person.pictures, sum(looked)) == (20, 20)
    both = attribute_scores(["smile"], faces).and_then(attribute_scores(["warmth"], None))
    assert both.names == ("smile", "warmth")
    values = scored(
        person, samples, red.and_then(both).and_then(own_score("blue", channel(2), "b")), tmp_path
    )
    assert (person.pictures, sum(looked)) == (40, 20)
    assert np.array_equal(values[:, 0], first[:, 1])
    plain = scored(person, samples, both)
    assert np.allclose(values[:, 1:3], plain, atol=1e-4)
    assert np.allclose(first[:, 0], 10.0, atol=2.0)


def test_an_interrupted_scoring_is_gone_on_with(person, tmp_path) -> None:
    samples, scores = person.sample(40, 0), own_score("red", channel(0), "red")

    def stop(done: int, total: int | None, what: str) -> None:
        assert total == 40
        if done >= 16:
            raise Interrupted

    with pytest.raises(Interrupted):
        scored(person, samples, scores, tmp_path, stop)
    assert person.pictures == 16
    values = scored(person, samples, scores, tmp_path)
    assert person.pictures == 40
    assert np.array_equal(values, scored(person, samples, scores))


def test_a_damaged_cache_counts_as_none(person, tmp_path) -> None:
    samples, scores = person.sample(10, 0), own_score("red", channel(0), "red")
    right = scored(person, samples, scores, tmp_path)
    (file,) = tmp_path.iterdir()
    for damage in (b"", b"PK\x03\x04 cut short", file.read_bytes()[:-40]):
        file.write_bytes(damage)
        assert np.array_equal(scored(person, samples, scores, tmp_path), right)
    assert [one.name for one in tmp_path.iterdir()] == [file.name]


def test_moments_are_usual_and_say_nothing_about_latents(person) -> None:
    samples = in_usual_moments(person, person.sample(200, 0))
    assert torch.equal(samples.ws, person.sample(200, 0).ws)
    assert set(samples.moments.tolist()) == set(range(6))
    assert len(set(in_usual_moments(person, person.sample(45, 0)).moments.tolist())) == 2
    assert set(in_usual_moments(person, person.sample(12, 0)).moments.tolist()) == {0}


def test_values_are_compared_within_their_moment() -> None:
    moments = torch.tensor([0, 1, 0, 1, 2])
    values = np.array([[1.0], [10.0], [3.0], [np.nan], [7.0]], np.float32)
    assert np.array_equal(within_moments(values, moments).ravel(), [-1, 0, 1, np.nan, 0], equal_nan=True)


def test_too_few_readable_pictures_are_said_with_what_was_missing() -> None:
    values = np.zeros((50, 2), np.float32)
    values[:20, 1] = np.nan
    assert readable(values, ("brightness", "smile"), 30).sum() == 30
    with pytest.raises(Problem, match=r"Only 30 of 50 .* 40 are needed \(smile could be told in 30\)"):
        readable(values, ("brightness", "smile"), 40)


def test_attributes_of_faces_need_a_reader() -> None:
    with pytest.raises(ValueError, match="without a reader"):
        attribute_scores(["smile"], None)
    assert attribute_scores(["warmth", "warmth"], None).names == ("warmth",)
