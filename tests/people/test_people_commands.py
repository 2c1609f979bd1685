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


def little_training(corpus: Path, **changes: object) -> list[str]:
    """Words of a training of two steps."""
    words = ["train-people", str(corpus), "--size", "tiny", "--side", "64", "--licence", "made by a program"]
    little: dict[str, object] = {
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
    for name, value in {**little, **{n.replace("_", "-"): v for n, v in changes.items()}}.items():
        words += [f"--training.{name}", str(value)]
    return words


def test_a_base_model_is_trained_found_again_and_has_a_card(made: Path, home: Path, capsys):
    words = little_training(made)
    assert cli.main(words) == 0
    out = capsys.readouterr().out
    assert len(out.strip().splitlines()) <= 8
    for said in ("Semantic prior, tiny at 64²", "from 4 people", "2 steps", "On 1 person", "PSNR", "card.md"):
        assert said in out
    assert "It has learnt from 4 people for 2 steps: a try, not a model to use." in out
    assert "| Setting |" not in out
    assert "python main.py import PHOTO.jpg --subject NAME" in out
    assert "python main.py build NAME --engine semantic" in out
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


def test_a_training_that_nobody_judges_goes_to_its_end(made: Path, home: Path, capsys):
    assert cli.main(little_training(made, validation_identities=0)) == 0
    out = capsys.readouterr().out
    assert "from 5 people" in out
    assert "Nobody judged it" in out
    (folder,) = (home / "models").iterdir()
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    assert card["figures"] == {}
    assert card["more"]["judged_by"] == []
    assert "Not measured." in (folder / "card.md").read_text(encoding="utf-8")


def test_models_and_trainings_are_listed_removed_and_brought_back(home: Path, capsys):
    from pipelines.unfinished_trainings import alone, note_training

    mine = home / "models" / "semantic-mine"
    mine.mkdir(parents=True)
    for file in ("network.safetensors", "settings.json"):  # which nobody opens here
        (mine / file).write_bytes(b"{}")
    begun = home / "trainings" / "semantic-abc"
    begun.mkdir(parents=True)
    note_training(begun, "small at 128²", "python main.py train-people my-corpus")
    (home / "trainings" / "semantic-old").mkdir()

    assert cli.main(["list"]) == 0
    out = capsys.readouterr().out
    assert "Base model  semantic-mine  Semantic prior, " in out
    assert "Unfinished training  semantic-abc  small at 128²" in out
    assert "go on with python main.py train-people my-corpus" in out
    assert "go on with the same train-people command" in out

    with alone(begun):
        assert cli.main(["list"]) == 0
        assert "Training at work  semantic-abc" in capsys.readouterr().out
        assert cli.main(["remove", "semantic-abc"]) == 2
        assert "is at work: stop it first" in capsys.readouterr().err
    for name in ("semantic-mine", "semantic-abc"):
        assert cli.main(["remove", name]) == 0
    capsys.readouterr()
    assert cli.main(["list"]) == 0
    out = capsys.readouterr().out
    assert "Base model" not in out
    assert "In the trash: semantic-mine" in out
    for name in ("semantic-mine", "semantic-abc"):
        assert cli.main(["restore", name]) == 0
    capsys.readouterr()
    assert cli.main(["list"]) == 0
    assert "Base model  semantic-mine" in capsys.readouterr().out
    assert (begun / "training.json").is_file()
