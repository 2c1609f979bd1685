"""Components of known latents come back as they are; the contact sheet shows what they do."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from studio.domain.edits import LatentShift
from studio.domain.problem import Problem
from studio.editing.attributes import eight_bit
from studio.editing.catalog import METHODS
from studio.editing.contact_sheet import contact_sheet, place, samples_sheet
from studio.editing.ganspace import GanSpaceWish, principal_components
from studio.editing.layer_rows import RowGroup
from tests.editing.small_people import LinearPerson, TinyPerson, cosine, rows_of_edit, workplace

SPREAD = torch.tensor([0.5, 4.0, 1.0, 2.0, 0.0])
"""Deviation along each axis of the latents."""


GROUPS: dict[RowGroup, range] = {"coarse": range(4), "medium": range(4, 8), "fine": range(8, 10)}


def known(rows_differ: bool = False) -> LinearPerson:
    return LinearPerson(torch.ones(3, 10, 5) / 10, SPREAD, rows_differ=rows_differ)


def turned(person: LinearPerson) -> tuple[LinearPerson, np.ndarray]:
    """The same person whose axes are those of a rotation ``[5, 5]``."""
    axes = np.linalg.qr(np.random.default_rng(4).normal(size=(5, 5)))[0].T
    plain = person.sample
    rotation = torch.tensor(axes, dtype=torch.float32)

    def sample(count: int, seed: int):
        found = plain(count, seed)
        return type(found)(3.0 + found.ws @ rotation, found.moments)

    person.sample = sample  # type: ignore[method-assign]
    return person, axes


@pytest.mark.parametrize("space", ["w", "w+"])
def test_axes_and_deviations_of_known_latents_come_back(space) -> None:
    person, axes = turned(known())
    found = principal_components(person, space, 3000)
    strongest = np.argsort(-SPREAD.numpy())[:4]
    assert found.directions.shape == (4, 1 if space == "w" else 10, 5)
    for k, axis in enumerate(strongest):
        row = found.directions[k][0] / np.linalg.norm(found.directions[k][0])
        assert abs(cosine(row, axes[axis])) > 0.995
        assert row[np.abs(row).argmax()] > 0.0
    # In W+ all ten rows move together, so their common axis is the root of ten longer.
    length = 1.0 if space == "w" else 10**0.5
    assert np.allclose(found.deviations / length, SPREAD[strongest.tolist()], rtol=0.06)
    assert np.allclose(found.shares, SPREAD[strongest.tolist()] ** 2 / (SPREAD**2).sum(), atol=0.02)
    assert np.allclose(found.within[0], (-2.05, 2.05), atol=0.2)


def test_one_strength_is_one_deviation_of_the_samples() -> None:
    person = known()
    for space in ("w", "w+"):
        shift = principal_components(person, space, 3000).shift(0)
        assert np.allclose(np.abs(shift.rows[:, 1]), 4.0, rtol=0.05)
        assert np.abs(shift.rows[:, [0, 2, 3, 4]]).max() < 0.3


def test_rows_of_a_group_move_and_others_rest() -> None:
    person = known(rows_differ=True)
    for space in ("w", "w+"):
        found = principal_components(person, space, 500)
        whole = np.broadcast_to(found.shift(0).rows, (10, 5))
        for group, rows in GROUPS.items():
            moved = found.shift(0, group).rows
            assert np.array_equal(moved[rows.start : rows.stop], whole[rows.start : rows.stop])
            assert np.count_nonzero(moved.any(1)) == len(rows)


def test_always_the_same() -> None:
    one, other = (principal_components(TinyPerson(1), "w+", 200) for _ in range(2))
    assert np.array_equal(one.directions, other.directions)
    assert np.allclose(np.einsum("krw,lrw->kl", one.directions, one.directions), np.eye(80), atol=1e-5)


def test_the_method_gives_an_edit(tmp_path) -> None:
    edit = METHODS["ganspace"].find(known(), GanSpaceWish(2, "coarse"), workplace(tmp_path))
    assert rows_of_edit(edit).shape == (10, 5)
    assert edit.title == "Component 2 (coarse)"
    assert edit.space == "w+"
    assert edit.suggested[0] == pytest.approx(-2.05, abs=0.2)
    assert edit.found["share_of_variance"] == pytest.approx(4.0 / 21.25, abs=0.02)
    whole = METHODS["ganspace"].find(known(), GanSpaceWish(1, space="w"), workplace(tmp_path))
    assert whole.space == "w"
    with pytest.raises(Problem, match="4 components, so there is none of number 5"):
        METHODS["ganspace"].find(known(), GanSpaceWish(5, space="w"), workplace(tmp_path))


def test_a_person_without_variation_has_no_components() -> None:
    person = known()
    person.spread = torch.zeros(5)
    with pytest.raises(Problem, match="all the same"):
        principal_components(person, "w", 50)


def cell(sheet: np.ndarray, row: int, column: int, side: int) -> np.ndarray:
    top, left, shown = place(row, column, side)
    return sheet[top : top + shown, left : left + shown]


def test_the_sheets_middle_column_is_the_unedited_picture() -> None:
    person = TinyPerson(2)
    found = principal_components(person, "w+", 200)
    rows = [(f"Component {k + 1}", found.shift(k)) for k in range(3)]
    strengths = (-2.0, -1.0, 0.0, 1.0, 2.0)
    sheet = contact_sheet(person, rows, strengths)
    assert sheet.dtype == np.uint8
    usual = person.usual(1)
    plain = eight_bit(person.draw(usual.ws, usual.moments))[0]
    for row, (_, shift) in enumerate(rows):
        assert np.array_equal(cell(sheet, row, 2, 32), plain)
        for column, strength in enumerate(strengths):
            ws = usual.ws + strength * torch.as_tensor(shift.rows)
            expected = eight_bit(person.draw(ws, usual.moments))[0].astype(int)
            assert np.abs(cell(sheet, row, column, 32).astype(int) - expected).max() <= 1
        assert np.abs(cell(sheet, row, 4, 32).astype(int) - plain).max() > 8
    assert person.pictures == 1 + 12 + 1 + 15


def test_sheets_name_rows_and_columns_and_shrink_large_pictures() -> None:
    person = LinearPerson(torch.zeros(3, 4, 2), resolution=256)
    shift = LatentShift(np.ones((1, 2), np.float32))
    sheet = contact_sheet(person, [("A title of several words that is broken", shift)] * 2, (0.0, 1.0))
    top, left, shown = place(2, 2, 256)
    assert shown == 192
    assert sheet.shape == (top, left, 3)
    ink = (sheet < 128).all(2)
    assert ink[:, :140].any()
    assert ink[:20].any()
    blank = contact_sheet(person, [("", shift)] * 2, (0.0, 1.0))
    assert not (blank < 100).all(2)[:, :140].any()


def test_samples_are_shown_row_by_row() -> None:
    person = TinyPerson(2)
    samples = person.sample(7, 0)
    sheet = samples_sheet(person, samples, columns=3)
    assert sheet.shape == (*place(3, 3, 32)[:2], 3)
    expected = eight_bit(person.draw(samples.ws, samples.moments)).astype(int)
    for k in range(7):
        assert np.abs(cell(sheet, k // 3, k % 3, 32).astype(int) - expected[k]).max() <= 1
    assert (cell(sheet, 2, 1, 32) == 255).all()
