"""Several processes train as one does: same curve, same decisions, one voice, and an end when one dies."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from pipelines.training.order import ShuffledOrder, part_of

pytestmark = pytest.mark.skipif(os.name == "nt", reason="processes are forked")


@pytest.fixture(scope="module")
def several() -> Iterator[ModuleType]:
    """The module that the processes import, too; see ``several_processes``."""
    sys.path.insert(0, str(Path(__file__).parent))
    yield importlib.import_module("several_processes")
    sys.path.remove(str(Path(__file__).parent))


BATCHES = [(5, 0), (8, 3), (1, 0)]
"""Parts of two and three; pieces of at most three; nothing for the first process."""


@pytest.fixture(scope="module")
def alone(several, tmp_path_factory):
    """What one process says to each batch size and size of pieces."""
    folder = tmp_path_factory.mktemp("alone")
    case = several.Case(folder)
    return {
        (batch, micro): several.play(
            several.variant(case, folder / f"{batch}-{micro}", batch=batch, micro_batch=micro)
        )
        for batch, micro in BATCHES
    }


@pytest.fixture(scope="module")
def played(several, tmp_path_factory):
    """What two processes say to all cases after which both are still there."""
    folder = tmp_path_factory.mktemp("played")
    case = several.Case(folder)

    def new(name, changed=case, **settings):
        return several.variant(changed, folder / name, **settings)

    stopped = new("stopped", replace(case, stop={1: 12}))
    cases = {
        **{
            f"{batch}-{micro}": new(f"{batch}-{micro}", batch=batch, micro_batch=micro)
            for batch, micro in BATCHES
        },
        "stopped": stopped,
        "continued": replace(stopped, stop={}, start=9),
        "cancelled": new("cancelled", replace(case, cancel={1: 3})),
        "timed": new("timed", replace(case, hasty={0: 1.0, 1: 7.0}), steps=1000, minutes=0.5, batch=6),
        "short": new("short", replace(case, limits={1: 1}), batch=8, micro_batch=3),
        "none": new("none", replace(case, limits={1: 0}), batch=8),
        "broken": new("broken", replace(case, broken={1: 7})),
        "full": new("full", replace(case, full_from=6)),
        "normed": new("normed", replace(case, normed=True), batch=8, steps=3),
    }
    return folder, several.together(cases, folder / "answers")


def _same_curves(one, other):
    for kind in ("losses", "validations"):
        assert [step for step, _ in one[kind]] == [step for step, _ in other[kind]]
        for (step, figures), (_, others) in zip(one[kind], other[kind]):
            figures, others = ({**f, "rank": 0.0} for f in (figures, others))
            assert others == pytest.approx(figures, rel=1e-5, abs=1e-6), (kind, step)


def _same_weights(one, other):
    for name, values in one["weights"].items():
        if name != "seen":  # each counts what it sees itself
            np.testing.assert_allclose(other["weights"][name], values, rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(("batch", "micro"), BATCHES)
def test_the_curve_is_that_of_one_process_with_the_same_batch(alone, played, batch, micro):
    expected = alone[batch, micro]
    first, second = played[1][f"{batch}-{micro}"]
    assert (first["end"], second["end"]) == ("finished", "finished")
    _same_curves(expected, first)
    for kind in ("losses", "validations", "best", "steps", "seconds"):
        assert first[kind] == second[kind]
    _same_weights(expected, first)
    _same_weights(first, second)
    # Each did its own part of every step; two rehearsals are over by the third.
    sizes = [[size for step, size in answer["tried"] if step == 2] for answer in (first, second)]
    assert sizes == {5: [[2], [3]], 8: [[3, 1], [3, 1]], 1: [[1], [1]]}[batch]
    # Each judged its own half; the validation's figures are means of both.
    assert first["validations"][0][1]["rank"] == 0.5
    # One voice.
    assert first["metrics"]
    assert first["pictures"] == 1
    assert (second["metrics"], second["said"], second["pictures"]) == ([], [], 0)


def test_one_asked_to_stop_stops_all_and_the_curve_goes_on_as_if_nothing_had_happened(alone, played):
    folder, answers = played
    both = answers["stopped"]
    assert [answer["end"] for answer in both] == ["Interrupted", "Interrupted"]
    assert both[0]["tried"][-1][0] == both[1]["tried"][-1][0] == 10
    again = answers["continued"]
    assert again[0]["tried"][0][0] == again[1]["tried"][0][0] == 11
    _same_curves(alone[5, 0], again[0])
    _same_weights(alone[5, 0], again[1])
    assert [answer["end"] for answer in answers["cancelled"]] == ["Cancelled", "Cancelled"]
    assert not list((folder / "cancelled").glob("checkpoint-*"))


def test_when_one_is_killed_the_others_say_so_and_any_number_continues(several, alone, tmp_path):
    case = several.Case(tmp_path / "killed", die={1: 10})
    survivor, dead = several.together({"one": case}, tmp_path / "first")["one"]
    assert dead == {}
    assert survivor["end"] == "Problem"
    assert survivor["message"] == (
        "Learning products ended because another of its 2 processes did: see what that one said. The same "
        "command continues from the last checkpoint."
    )
    # Now the first of three, with the checkpoint that two wrote.
    three = several.together({"three": replace(case, die={0: 14}, start=7)}, tmp_path / "second", world=3)
    assert three["three"][0] == {}
    assert [answer["end"] for answer in three["three"][1:]] == ["Problem", "Problem"]
    assert three["three"][2]["tried"][0][0] == 8
    last = several.play(replace(case, die={}, start=9))
    assert last["tried"][0][0] == 12
    _same_curves(alone[5, 0], last)
    _same_weights(alone[5, 0], last)


def test_the_first_ones_clock_ends_the_budget_of_all(played):
    both = played[1]["timed"]
    assert [(answer["reason"], answer["steps"]) for answer in both] == [("time", 28)] * 2
    # A second a step; two rehearsals took time as well.
    assert both[0]["seconds"] == both[1]["seconds"] == pytest.approx(30.0)


def test_memory_that_runs_out_in_one_halves_the_pieces_of_all(alone, played):
    first, second = played[1]["short"]
    assert (first["micro"], second["micro"]) == (1, 1)
    # Pieces of 3, 2 and 1, then the step; the one that has too little gives up at its first piece.
    assert [size for step, size in first["tried"] if step == 0] == [3, 1, 2, 2, *[1] * 8]
    assert [size for step, size in second["tried"] if step == 0] == [3, 2, *[1] * 8]
    assert {size for step, size in first["tried"] if step > 0} == {1}
    assert first["said"][0].startswith("Memory ran out, so each step is now done in single examples instead")
    assert second["said"] == []
    _same_curves(alone[8, 3], first)
    first, second = played[1]["none"]
    assert (first["end"], second["end"]) == ("StoppedElsewhere", "Problem")
    assert second["message"].startswith("Learning products ran out of the graphics card's memory")


def test_memory_that_runs_out_later_ends_all_with_what_to_do(several, tmp_path):
    case = several.variant(several.Case(tmp_path, limits={1: 2}, memory_from=6), tmp_path / "late", batch=8)
    first, second = several.together({"late": case}, tmp_path / "answers")["late"]
    assert (first["end"], second["end"]) == ("Problem", "Problem")
    assert second["message"].endswith(
        "start again with a micro_batch of 2, which continues from the checkpoint."
    )
    assert "another of its 2 processes" in first["message"]


def test_a_gradient_that_is_no_number_in_one_changes_nothing_in_any(several, played, tmp_path):
    expected = several.play(several.Case(tmp_path / "one", broken={0: 7}))
    first, second = played[1]["broken"]
    _same_curves(expected, first)
    _same_weights(expected, first)
    _same_weights(first, second)


def test_a_disk_that_is_full_for_the_first_ends_all_and_is_told_once(played):
    first, second = played[1]["full"]
    assert (first["end"], first["message"]) == ("Problem", "The disk is full: make room.")
    assert second["end"] == "StoppedElsewhere"
    assert first["tried"][-1] == [7, 2]


def test_batch_statistics_that_processors_do_not_share_are_said(played):
    first, second = played[1]["normed"]
    assert (first["end"], second["end"]) == ("finished", "finished")
    assert "Batch normalisation looks at each process's examples alone" in first["said"][0]


@pytest.mark.parametrize("world", [1, 2, 3, 5, 8])
def test_parts_are_the_batch(world):
    indices = ShuffledOrder(100, 7)(3)
    parts = [part_of(indices, rank, world) for rank in range(world)]
    counted = [part for part in parts if part[2] == 1.0]
    np.testing.assert_array_equal(np.concatenate([part for part, _, _ in counted]), indices)
    for part, place, _ in counted:
        np.testing.assert_array_equal(indices[place : place + len(part)], part)
    assert max(len(part) for part, _, _ in parts) == -(-7 // world)
    assert all(len(part) == 1 for part, _, weight in parts if weight == 0.0)
