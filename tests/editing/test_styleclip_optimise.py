"""Latent optimisation: one shift for every moment, kept small, found again after a kill."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from studio.domain.edits import Edit, LatentShift
from studio.domain.progress import Interrupted
from studio.editing import styleclip_result, styleclip_training
from studio.editing.edited_pictures import draw_edited
from studio.editing.identity_drift import IdentityMeter
from studio.editing.method import Workplace
from studio.editing.styleclip_optimise import find_shift
from studio.editing.styleclip_result import begin
from studio.editing.styleclip_wishes import OptimiseWish
from tests.editing.generated_person import GeneratedPerson
from tests.editing.tiny_clip import workplace_with_clip

WISH = OptimiseWish("with round eyeglasses", steps=30, l2=0.002)


@pytest.fixture(scope="module")
def person() -> GeneratedPerson:
    return GeneratedPerson()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    folder = tmp_path_factory.mktemp("home")
    return workplace_with_clip(folder, folder / "cache")


@pytest.fixture(scope="module")
def edit(person, place) -> Edit:
    return find_shift(person, WISH, place)


def rows_of(edit: Edit) -> np.ndarray:
    assert isinstance(edit.effect, LatentShift)
    return edit.effect.rows


@pytest.mark.parametrize("aim", ["change", "target"])
def test_it_moves_its_own_score_and_more_with_more_strength(person, place, aim):
    edit = find_shift(person, replace(WISH, aim=aim), place)
    begun = begin(person, WISH, place)
    goal = getattr(begun.meaning, aim)
    samples = person.sample(40, 4321)
    with torch.no_grad():
        scores = [
            float((begun.clip.pictures(draw_edited(person, edit.effect, samples, s)) @ goal).mean())
            for s in (0.0, 0.25, 0.5, 1.0)
        ]
    assert scores == sorted(scores)
    assert scores[-1] - scores[0] > 0.01
    assert edit.found["score"][aim][1] > edit.found["score"][aim][0]


def test_it_is_a_shift_of_all_rows(person, edit):
    assert rows_of(edit).shape == (person.num_ws, person.w_dim)
    assert (edit.space, edit.strength, edit.limits) == ("w+", 1.0, (-2.0, 2.0))
    assert edit.suggested == (0.0, 0.7)
    assert "the identity loss took no part" in edit.found["notes"][-1]


def test_a_heavier_regulariser_keeps_it_smaller(person, place, edit):
    small = find_shift(person, replace(WISH, l2=0.1), place)
    assert np.linalg.norm(rows_of(small)) < 0.5 * np.linalg.norm(rows_of(edit))


def test_the_same_seed_gives_the_same_edit(person, place, tmp_path, edit):
    again = find_shift(person, WISH, replace(place, cache=tmp_path))
    np.testing.assert_array_equal(rows_of(again), rows_of(edit))
    other = find_shift(person, replace(WISH, seed=3), replace(place, cache=tmp_path))
    assert not np.array_equal(rows_of(other), rows_of(edit))


@pytest.mark.parametrize("stopped", [Interrupted, KeyboardInterrupt])
def test_it_goes_on_to_the_same_numbers(person, place, tmp_path, edit, monkeypatch, stopped):
    """Interrupted leaves a checkpoint; anything harder finds the last one that was written in passing."""
    if stopped is KeyboardInterrupt:
        monkeypatch.setattr(styleclip_training, "SAVE_EVERY", 0.0)
    told: list[int] = []

    def stop(done: int, total: int | None, what: str) -> None:
        told.append(done)
        if done == 17:
            raise stopped

    with pytest.raises(stopped):
        find_shift(person, WISH, replace(place, cache=tmp_path, progress=stop))
    drawn = person.drawings
    found = find_shift(
        person, WISH, replace(place, cache=tmp_path, progress=lambda done, *_: told.append(done))
    )
    np.testing.assert_array_equal(rows_of(found), rows_of(edit))
    assert 17 in told[told.index(17) + 1 :]  # it went on from there
    # 13 steps of two pictures, six typical ones twice, two for telling generators apart.
    assert person.drawings - drawn == 13 * 2 + 2 * 6 + 2


def test_a_finished_search_is_not_done_again(person, place, edit):
    drawn = person.drawings
    again = find_shift(person, WISH, place)
    np.testing.assert_array_equal(rows_of(again), rows_of(edit))
    assert person.drawings - drawn == 2 * 6 + 2


def test_an_identity_loss_holds_the_person(person, place, monkeypatch, tmp_path):
    """Against a made-up identity: the average colours of a coarse grid."""

    def embed(pictures: torch.Tensor) -> torch.Tensor:
        return functional.normalize(functional.adaptive_avg_pool2d(pictures, 3).flatten(1), dim=1)

    meter = IdentityMeter("made up", embed, True)
    monkeypatch.setattr(styleclip_result, "identity_meter", lambda *_: (meter, ""))
    work = replace(place, cache=tmp_path)
    free = find_shift(person, replace(WISH, identity=0.0, l2=0.0005), work)
    held = find_shift(person, replace(WISH, identity=3.0, l2=0.0005), work)
    samples = person.sample(20, 77)
    plain = draw_edited(person, free.effect, samples, 0.0)
    drifts = [meter.drift(plain, draw_edited(person, one.effect, samples, 1.0)) for one in (free, held)]
    assert drifts[1] < 0.6 * drifts[0]  # type: ignore[operator]
    assert held.found["identity"]["network"] == "made up"
    assert held.found["notes"] == []


def test_a_network_without_gradients_only_measures(person, place, monkeypatch, tmp_path):
    def embed(pictures: torch.Tensor) -> torch.Tensor:
        return functional.normalize(pictures.detach().flatten(1), dim=1)

    meter = IdentityMeter("measures", embed, False)
    monkeypatch.setattr(styleclip_result, "identity_meter", lambda *_: (meter, ""))
    edit = find_shift(person, replace(WISH, steps=2), replace(place, cache=tmp_path))
    assert edit.found["notes"][-1] == (
        "The identity loss took no part, because it needs ArcFace and measures only measures."
    )
    quiet: Any = find_shift(person, replace(WISH, steps=2, identity=0.0), replace(place, cache=tmp_path))
    assert not any("identity loss" in note for note in quiet.found["notes"])


def test_a_person_without_a_face_is_not_measured(person, place, monkeypatch, tmp_path):
    def embed(pictures: torch.Tensor) -> torch.Tensor:
        return torch.full((len(pictures), 4), torch.nan)

    monkeypatch.setattr(
        styleclip_result, "identity_meter", lambda *_: (IdentityMeter("blind", embed, False), "")
    )
    told: list[tuple[int, int | None]] = []
    work = replace(place, cache=tmp_path, progress=lambda done, total, what: told.append((done, total)))
    edit = find_shift(person, replace(WISH, steps=2), work)
    assert edit.suggested == (0.0, 0.7)
    assert edit.found["identity"] is None
    assert "blind finds no face" in edit.found["notes"][-1]
    assert [one[0] for one in told] == sorted(one[0] for one in told)
    assert told[-1][0] == told[-1][1]
