"""Pictures without the person in them."""

from __future__ import annotations

import pytest
import torch

from studio.networks.filled_picture import RIM, without_person

SIDE = 32


def someone(left: int = 12, right: int = 20) -> torch.Tensor:
    """The outline of somebody who stands between two columns."""
    outline = torch.zeros(1, 1, SIDE, SIDE)
    outline[..., left:right] = 1.0
    return outline


def test_what_is_free_of_the_person_stays() -> None:
    torch.manual_seed(0)
    picture, outline = torch.rand(1, 3, SIDE, SIDE), someone()
    filled = without_person(picture, outline)
    assert torch.equal(filled[..., : 12 - RIM], picture[..., : 12 - RIM])
    assert torch.equal(filled[..., 20 + RIM :], picture[..., 20 + RIM :])


def test_nothing_of_the_person_is_left() -> None:
    torch.manual_seed(0)
    picture, outline = torch.rand(1, 3, SIDE, SIDE), someone()
    other = picture + 5.0 * outline
    assert torch.equal(without_person(other, outline), without_person(picture, outline))


@pytest.mark.parametrize("value", [-0.5, 1.0])
def test_an_even_wall_goes_on_behind_them(value: float) -> None:
    picture = torch.full((1, 3, SIDE, SIDE), value)
    filled = without_person(picture + someone() * 3.0, someone())
    assert (filled - value).abs().max() < 1e-5


def test_between_two_walls_it_goes_over_from_one_to_the_other() -> None:
    picture = torch.zeros(1, 1, SIDE, SIDE)
    picture[..., SIDE // 2 :] = 1.0
    filled = without_person(picture, someone())[0, 0]
    row = filled[SIDE // 2]
    assert (row.diff() >= -0.1).all()
    assert row[13] < 0.5 < row[18]
    assert filled.min() > -1e-5
    assert filled.max() < 1.0 + 1e-5


def test_where_the_person_is_everywhere_there_is_nothing() -> None:
    assert not without_person(torch.rand(1, 3, SIDE, SIDE), torch.ones(1, 1, SIDE, SIDE)).any()
