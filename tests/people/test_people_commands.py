"""Commands about people: what cannot work is said before any work, and the whole way runs on made people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines import cli

pytestmark = pytest.mark.timeout(240)


def said(words: list[str], capsys) -> str:
    assert cli.main(words) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train-people", "nowhere"], "nowhere is no corpus"),
        (["train-people", "nowhere", "--engine", "pvp"], "there are semantic"),
        (["train-people", "nowhere", "--size", "huge"], "choose from tiny, small, middle, full"),
        (["train-people", "nowhere", "--side", "100"], "choose from 64, 128, 256, 512"),
        (["train-people", "nowhere", "--minutes", "0"], "must be more than 0"),
        (["ablate-people", "nowhere", "--only", "hair"], "There is no variant 'hair'"),
        (
            ["ablate-people", "x", "--only", "no outline", "--training.network.no-person-mask"],
            "what the options ask for already",
        ),
        (["evaluate-people", "nowhere"], "nowhere is no corpus"),
        (["bitrate", "nowhere"], "nowhere is no corpus"),
    ],
)
def test_what_cannot_work_is_said_in_a_sentence(words, sentence, capsys):
    assert sentence in said(words, capsys).replace("\n", " ")


def test_a_home_without_a_base_model_is_told_how_to_get_one(made: Path, capsys):
    assert "train-people" in said(["evaluate-people", str(made)], capsys)


def test_a_base_model_is_trained_found_again_and_has_a_card(made: Path, home: Path, capsys):
    words = ["train-people", str(made), "--size", "tiny", "--side", "64", "--licence", "made by a program"]
    little = {
        "network.volume-side": 16,
        "network.motion-side": 8,
        "network.hourglass-levels": 2,
        "network.first-channels": 8,
        "network.decoder-channels": 16,
        "network.decoder-last": 8,
        "loop.steps": 2,
        "loop.batch": 2,
        "validation-identities": 1,
        "validation-pairs": 2,
        "frames.workers": 0,
    }
    for name, value in little.items():
        words += [f"--training.{name}", str(value)]
    assert cli.main(words) == 0
    (folder,) = (home / "models").iterdir()
    assert {path.name for path in folder.iterdir()} == {
        *("network.safetensors", "settings.json", "card.json", "card.md")
    }
    assert not list((home / "trainings").iterdir())
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    assert card["data"]["identities"] == 4
    assert card["data"]["licence"] == "made by a program"
    assert card["making"]["steps"] == 2
    assert card["more"]["judged_by"]
    assert str(home) not in json.dumps(card)
    assert str(made) not in json.dumps(card)
    written = (folder / "network.safetensors").stat().st_mtime_ns
    capsys.readouterr()
    assert cli.main(words) == 0
    assert (folder / "network.safetensors").stat().st_mtime_ns == written

    from studio.engines.semantic.base_model import load_base_model

    model = load_base_model(folder)
    assert model.head_model == "builtin-1"
    assert model.network.shape.volume_side == 16
    assert not model.network.training
