"""What a base model's card says in few words: a try is called one, and without a card nothing is made up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.model_facts import FEW_PEOPLE, FEW_STEPS, ModelFacts, model_facts
from pipelines.unfinished_trainings import alone, note_training, unfinished_trainings
from studio.domain.problem import Problem


def facts(**changes) -> ModelFacts:
    numbers = {"people": 35, "clips": 39, "frames": 9000, "steps": 5552, "seconds": 2400.0}
    rest = {"title": "Semantic prior, small at 128²", "parameters": 1_600_000, "psnr": 22.3, "judges": 3}
    return ModelFacts(**{**numbers, **rest, **changes})


def test_a_try_is_called_one():
    assert facts().a_try is None
    assert facts(people=FEW_PEOPLE, steps=FEW_STEPS).a_try is None
    assert facts(people=4, steps=2).a_try == (
        "It has learnt from 4 people for 2 steps: a try, not a model to use."
    )
    assert "1 person for 1 step:" in str(facts(people=1, steps=1).a_try)
    assert facts(people=FEW_PEOPLE - 1).a_try
    assert facts(steps=FEW_STEPS - 1).a_try


def test_the_end_of_a_training_is_told_in_a_few_lines():
    lines = facts().lines
    assert len(lines) == 3
    text = "\n".join(lines)
    for words in ("35 people", "5,552 steps", "40 minutes", "On 3 people", "PSNR 22.30 dB"):
        assert words in text
    assert "Nobody judged it" in "\n".join(facts(psnr=None, judges=0).lines)
    assert facts(people=3).lines[-1] == facts(people=3).a_try


def test_a_card_that_is_none_says_nothing(tmp_path: Path):
    assert model_facts(tmp_path) is None
    for content in ("", "[]", '{"title": "x"}', json.dumps({"title": "x", "data": 3})):
        (tmp_path / "card.json").write_text(content, encoding="utf-8")
        assert model_facts(tmp_path) is None


def test_a_training_is_listed_with_its_command_and_is_nobody_elses(tmp_path: Path):
    folder = tmp_path / "trainings" / "semantic-1"
    folder.mkdir(parents=True)
    (tmp_path / "trainings" / "semantic-0").mkdir()
    note_training(folder, "small at 128²", "python main.py train-people corpus")
    plain, noted = unfinished_trainings(tmp_path)
    assert (plain.name, plain.again) == ("semantic-0", "")
    assert (noted.title, noted.again) == ("small at 128²", "python main.py train-people corpus")
    assert not noted.at_work
    with alone(folder):
        assert noted.at_work
        with pytest.raises(Problem, match="at work already"), alone(folder):
            raise AssertionError
    assert not noted.at_work
