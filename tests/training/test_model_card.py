"""The card beside a trained model."""

from __future__ import annotations

import json
import platform
from dataclasses import replace
from importlib.metadata import version

import pytest
import torch

from pipelines.training.launch import one_process
from pipelines.training.model_card import DataSummary, ModelCard, in_words, making_of, read_card, write_card
from pipelines.training.report import TrainReport
from pipelines.training.settings import LoopSettings
from studio.domain.problem import Problem
from studio.project.settings_json import settings_to_plain

REPORT = TrainReport("time", 12_345, 9000.04, 12_000, {"loss": 0.25}, (), (), 4)


@pytest.fixture
def card() -> ModelCard:
    return ModelCard(
        title="A model of hats",
        what="Draws hats.",
        parameters=1_234_567,
        data=DataSummary("hats on heads", 12, 34, 5600, "CC BY 4.0, worn by volunteers", "three heads"),
        making=making_of(REPORT, one_process(torch.device("cpu"))),
        settings={
            "side": 128,
            "loop": settings_to_plain(LoopSettings(batch=7, tensorboard="/somebody/curves")),
        },
        figures={"PSNR": 24.125, "AKD": 3.5},
        measured_on="three heads that it never saw",
        uses=("Trying hats on.",),
        limits=("Not for wigs.", "Brims beyond the picture are cut."),
        more={"corpus": "0123"},
    )


def test_both_files_say_it_all(card, tmp_path):
    write_card(tmp_path, card)
    read = read_card(tmp_path)
    assert read["schema_version"] == 1
    assert read["data"]["licence"] == "CC BY 4.0, worn by volunteers"
    assert read["making"] == {
        "steps": 12_345,
        "best_step": 12_000,
        "seconds": 9000.0,
        "ended_by": "time",
        "device": platform.machine(),
        "processes": 1,
        "system": f"{platform.system()}, Python {platform.python_version()}",
        "packages": {name: version(name) for name in ("torch", "lightning-fabric", "numpy", "safetensors")},
    }
    assert read["more"] == {"corpus": "0123"}
    assert read["settings"]["loop"]["batch"] == 7
    assert not any("somebody" in path.read_text(encoding="utf-8") for path in tmp_path.iterdir())
    words = (tmp_path / "card.md").read_text(encoding="utf-8")
    for part in (
        "# A model of hats",
        "1,234,567 parameters.",
        "- hats on heads: 5,600 frames in 34 clips of 12 people",
        "- licence and consent: CC BY 4.0, worn by volunteers",
        "- held out: three heads",
        f"12,345 steps in 2.5 hours (ended by: time) on {platform.machine()}, in one process.",
        "The weights are those of step 12000.",
        f"torch {version('torch')}",
        "Measured on three heads that it never saw:",
        "| PSNR | 24.125 |",
        "- Trying hats on.",
        "- Not for wigs.",
        "| loop.batch | 7 |",
        '| loop.schedule.descent | "cosine" |',
    ):
        assert part in words, part


def test_what_nobody_noted_is_said_to_be_unknown(card):
    data = replace(card.data, licence="", held_out="", left_out=("A clip had no face.",))
    words = in_words(replace(card, data=data, figures={}))
    assert "- licence and consent: none was noted: find out before passing the model on" in words
    assert "- left out: A clip had no face." in words
    assert "held out" not in words
    assert "Not measured." in words
    assert "| Measure | Value |" not in words


def test_a_card_that_is_none_is_told_and_a_folder_that_is_not_there_a_problem(card, tmp_path):
    (tmp_path / "card.json").write_text(json.dumps([1]))
    with pytest.raises(ValueError, match="is no card"):
        read_card(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises((Problem, OSError)):
        write_card(tmp_path / "file", card)
