"""The latent mapper: groups of rows, folded weights, and a score that follows the strength."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from studio.domain.edits import Edit, LatentMap
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted
from studio.editing.edited_pictures import draw_edited
from studio.editing.method import Workplace
from studio.editing.styleclip_mapper import RATE, Networks, find_map, row_groups
from studio.editing.styleclip_result import begin
from studio.editing.styleclip_wishes import MapperWish
from studio.networks.latent_map import map_offset, mapped
from tests.editing.generated_person import GeneratedPerson
from tests.editing.tiny_clip import workplace_with_clip

# A narrow network moves less in a step than the usual one of 512.
WISH = MapperWish("with round eyeglasses", steps=40, learning_rate=5.0, l2=0.1, samples=64)


@pytest.fixture(scope="module")
def person() -> GeneratedPerson:
    return GeneratedPerson()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    folder = tmp_path_factory.mktemp("home")
    return workplace_with_clip(folder, folder / "cache")


@pytest.fixture(scope="module")
def edit(person, place) -> Edit:
    return find_map(person, WISH, place)


def map_of(edit: Edit) -> LatentMap:
    assert isinstance(edit.effect, LatentMap)
    return edit.effect


@pytest.mark.parametrize(
    ("rows", "groups"),
    [
        (18, ((0, 4), (4, 8), (8, 18))),
        (14, ((0, 4), (4, 8), (8, 14))),
        (10, ((0, 4), (4, 8), (8, 10))),
        (8, ((0, 3), (3, 5), (5, 8))),
        (6, ((0, 2), (2, 4), (4, 6))),
        (4, ((0, 1), (1, 3), (3, 4))),
    ],
)
def test_rows_are_split(rows, groups):
    assert row_groups(rows) == groups
    assert row_groups(rows, medium=False) == (groups[0], groups[2])
    with pytest.raises(Problem, match="no rows to move"):
        row_groups(rows, False, False, False)


def test_folded_weights_are_the_equalised_layers():
    """Twin: the paper's mapper, PixelNorm and four EqualLinear of rate 0.01 with a rectifier of gain √2; the
    last one's is left out."""
    networks = Networks(2, 6, 0)
    with torch.no_grad():
        networks.bias.normal_(0.0, 50.0)
    ws = torch.randn(3, 5, 6)
    groups = ((0, 2), (3, 5))
    expected = torch.zeros_like(ws)
    for group, (first, past) in enumerate(groups):
        for row in range(first, past):
            x = ws[:, row]
            x = x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()
            for layer in range(4):
                weight = networks.weight[group, layer] * 0.01 / math.sqrt(6)
                x = x @ weight.T + networks.bias[group, layer] * 0.01
                if layer < 3:
                    x = functional.leaky_relu(x, 0.2) * math.sqrt(2)
            expected[:, row] = 0.1 * x
    found = mapped(ws, groups, *networks.folded(), 0.1)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert float(networks.weight.detach().std()) == pytest.approx(1 / RATE, rel=0.1)


def test_it_moves_its_own_score_and_more_with_more_strength(person, place, edit):
    begun = begin(person, WISH, place)
    samples = person.sample(40, 4321)
    with torch.no_grad():
        shown = [draw_edited(person, edit.effect, samples, s) for s in (0.0, 0.25, 0.5, 1.0)]
        scores = [float((begun.clip.pictures(one) @ begun.meaning.change).mean()) for one in shown]
    assert scores == sorted(scores)
    assert scores[-1] - scores[0] > 0.01
    assert map_of(edit).groups == ((0, 2), (2, 4), (4, 6))
    assert (edit.space, edit.strength) == ("w+", 1.0)
    # Every latent has a shift of its own.
    offsets = map_offset(map_of(edit), samples.ws)
    assert (offsets - offsets.mean(0)).abs().mean() > 0.05 * offsets.abs().mean()


def test_a_group_that_takes_no_part_stays(person, place, tmp_path):
    edit = find_map(person, replace(WISH, steps=3, medium=False), replace(place, cache=tmp_path))
    assert map_of(edit).groups == ((0, 2), (4, 6))
    offset = map_offset(map_of(edit), person.sample(2, 0).ws)
    assert not offset[:, 2:4].any()
    assert offset[:, :2].abs().min() > 0


def test_it_goes_on_to_the_same_numbers(person, place, tmp_path, edit):
    def stop(done: int, total: int | None, what: str) -> None:
        if done == 20:
            raise Interrupted

    with pytest.raises(Interrupted):
        find_map(person, WISH, replace(place, cache=tmp_path, progress=stop))
    drawn = person.drawings
    found = find_map(person, WISH, replace(place, cache=tmp_path))
    assert person.drawings - drawn == 20 * 2 + 2 * 6 + 2
    np.testing.assert_array_equal(map_of(found).weights, map_of(edit).weights)
    np.testing.assert_array_equal(map_of(found).biases, map_of(edit).biases)
