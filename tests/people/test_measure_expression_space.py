"""How much of a person and of an expression a space leaves, where the answer is known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pipelines.cli import main
from pipelines.expression_space_report import chosen_frames
from pipelines.learn_expression_space import Expressions
from pipelines.measure_expression_space import (
    HANDLES,
    RAW,
    SCALES,
    between_people,
    components_of,
    measure_space,
    named_rightly,
    survival,
)
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.engines.export3d.expression_space import (
    ExpressionSpace,
    ScalingLayers,
    has_way_back,
    load_expression_space,
)
from studio.head import builtin_head
from studio.head.expression_numbers import EXPRESSION, expression_numbers
from tests.people.test_expression_space import shelved, way_back

PEOPLE, FRAMES = 4, 150


def people() -> list[Expressions]:
    """The first number says who it is, the second what is expressed."""
    random = np.random.default_rng(1)
    found = []
    for person in range(PEOPLE):
        numbers = 1e-3 * random.normal(size=(FRAMES, EXPRESSION))
        numbers[:, 0] += person
        numbers[:, 1] = random.normal(size=FRAMES)
        found.append(Expressions(f"p{person}", numbers.astype(np.float32)))
    return found


def test_a_person_is_named_by_what_tells_them_apart_and_by_nothing_else():
    clips = people()
    assert named_rightly(clips, lambda numbers: numbers) == 1.0
    assert named_rightly(clips, lambda numbers: numbers[:, :1]) == 1.0
    assert abs(named_rightly(clips, lambda numbers: numbers[:, 1:2]) - 1 / PEOPLE) < 0.12


def test_a_frame_is_asked_about_by_who_was_taught_by_other_stretches():
    """Where a clip drifts, only neighbours know where it has got to; they are not asked."""
    drift = np.linspace(0.0, 10.0, FRAMES)[:, None] * np.ones((1, EXPRESSION), np.float32)
    ann, bob = (
        Expressions("ann", drift.astype(np.float32)),
        Expressions("bob", (drift + 1).astype(np.float32)),
    )
    assert named_rightly([ann, bob], lambda numbers: numbers[:, :1]) < 0.75


def test_variance_between_people_is_its_share():
    clips = people()
    assert between_people(clips, lambda numbers: numbers[:, :1]) > 0.9999
    assert between_people(clips, lambda numbers: numbers[:, 1:2]) < 0.05
    # Means 0, 2 and each person's own variance 1: one half.
    halves = [np.tile([[m - 1.0], [m + 1.0]], (20, EXPRESSION)).astype(np.float32) for m in (0.0, 2.0)]
    clips = [Expressions(str(k), values) for k, values in enumerate(halves)]
    assert between_people(clips, lambda numbers: numbers) == pytest.approx(0.5)


def test_what_is_left_of_a_movement_is_its_correlation_and_its_size():
    model = builtin_head()
    amount = np.sin(np.linspace(0.0, 20.0, 60)).astype(np.float32)
    still = HeadMotion.neutral(60, np.array([1.0, 0.0, 0.0], np.float32))
    clips = [
        Expressions(name, expression_numbers(model.handles[name].apply(still, amount), model))
        for name in HANDLES
    ]
    for name, left in survival(clips, lambda numbers: numbers, model).items():
        assert left.correlation == pytest.approx(1.0), name
        assert left.size == pytest.approx(1.0), name
    smile = survival(clips[1:2], lambda numbers: -0.5 * numbers, model)["smile"]
    assert smile.correlation == pytest.approx(-1.0)
    assert smile.size == pytest.approx(0.5, abs=0.02)


def test_components_are_those_of_the_strongest_spread():
    components = components_of(people(), 2)
    assert np.square(components.directions[:, :2]).sum() == pytest.approx(2.0, abs=1e-3)
    numbers = people()[1].numbers
    assert np.allclose(components.numbers(numbers)[:, :2], numbers[:, :2], atol=0.01)
    assert components.scales(numbers).shape == (FRAMES, 2)


def test_a_space_that_does_not_look_at_who_it_is_is_told_so():
    """Layers of which the second number alone passes."""
    weight = np.zeros((2, EXPRESSION), np.float32)
    weight[:, 1] = [1.0, -1.0]
    last = np.array([[1.0, -1.0], [1.0, 1.0], [0.0, 1.0]], np.float32)
    layers = ScalingLayers(weight, np.zeros(2, np.float32), last, np.zeros(3, np.float32))
    clips = people()
    figures = measure_space(
        clips, ExpressionSpace(layers, way_back(3)), components_of(clips, 3), builtin_head()
    )
    assert (figures.people, figures.clips, figures.chance) == (PEOPLE, PEOPLE, 1 / PEOPLE)
    assert figures.named[RAW] == 1.0
    assert figures.named[SCALES] < 0.45
    with pytest.raises(Problem, match="two people or more"):
        measure_space(
            clips[:1], ExpressionSpace(layers, way_back(3)), components_of(clips, 3), builtin_head()
        )


def test_the_picture_shows_ten_frames_of_each_of_ten_people():
    many = [Expressions(f"p{k // 2}", np.full((30, EXPRESSION), k, np.float32)) for k in range(26)]
    shown = chosen_frames(many)
    assert [each.shape for each in shown] == [(10, EXPRESSION)] * 10
    assert len({float(each[0, 0]) for each in shown}) == 10
    assert all(float(each[0, 0]) % 2 == 0 for each in shown)  # one clip of each


def test_the_command_keeps_a_way_back_and_writes_table_and_picture(made, tmp_path, capsys):
    home = tmp_path / "home"
    folder = shelved(home)
    words = ["expression-space", str(made), "--report", str(tmp_path / "report"), "--home", str(home)]
    assert main(words) == 2
    assert "no card" in capsys.readouterr().err
    card = {"more": {"learnt_from": ["ann", "bob", "cat"]}}
    (folder / "card.json").write_text(json.dumps({"more": {"learnt_from": ["ann", "zoe"]}}))
    assert main(words) == 2
    assert "1 clip of 2 lacking" in capsys.readouterr().err
    assert not has_way_back(folder)
    (folder / "card.json").write_text(json.dumps(card))
    assert main(words) == 0
    assert load_expression_space(folder).back.people == 3
    said = capsys.readouterr()
    assert "learnt from: 3 people" in said.out
    assert "3 clips that it has learnt from itself" in said.out + said.err
    told = json.loads((tmp_path / "report" / "expression_space.json").read_text())
    assert told["figures"]["held out"]["people"] == 2
    assert (tmp_path / "report" / "expression_space.md").read_text().strip() in said.out
    assert (tmp_path / "report" / "expression_space.png").read_bytes().startswith(b"\x89PNG")
    assert "ann" not in json.dumps(told["figures"])
