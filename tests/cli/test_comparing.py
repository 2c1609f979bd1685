"""All engines in one table, by a command."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from pipelines.sheet_file import HEADING

NAME = "Ann Lee 🎬"
SMALL = ["--size", 64, "--nearest", "parameters"]
TWO = ["--engines", "instant:draft", "instant:standard"]


def test_two_kinds_of_avatars_in_one_table_and_on_one_sheet(ann, home, tmp_path: Path) -> None:
    file, folder, sheet = tmp_path / "figures.json", tmp_path / "report", tmp_path / "sheet.png"
    words = ["compare", NAME, *TWO, *SMALL]
    said = ann(*words, "--json", file, "--report", folder, "--sheet", sheet)
    assert said.code == 0, said.err
    told = json.loads(file.read_text())
    assert told == json.loads((folder / "comparison.json").read_text())
    assert said.out.strip() == (folder / "comparison.md").read_text(encoding="utf-8").strip()
    assert "Instant, draft: to be built without the end" in said.err
    draft, standard = told["engines"]
    assert (draft["preset"], standard["preset"]) == ("draft", "standard")
    for one in told["engines"]:
        assert not one["build"]["found_ready"]
        assert one["build"]["seconds"] > 0.0
        assert set(one["build"]["stages"]) == {"track", "pivots", "instant"}
        # The clip was tracked at its import, by a job that had no avatar in it.
        assert one["build"]["stages"]["track"] > 0.0
        assert 0.05 < one["memory_gb"]["process"] < 4.0
        assert one["bytes"]["base_model"] == 0
        assert one["evaluation"]["fps"] > 0.0
        assert one["evaluation"]["nearest_frame"] == told["nearest_frame"]
    for one in told["engines"]:
        (made,) = home.glob(f"subjects/*/avatars/{one['evaluation']['settings']['avatar']}")
        assert one["bytes"]["avatar"] == sum(f.stat().st_size for f in made.rglob("*") if f.is_file())
    assert draft["evaluation"]["metrics"] != standard["evaluation"]["metrics"]
    assert cv2.imread(str(sheet)).shape == (HEADING + 6 * (256 + HEADING), 4 * 256, 3)

    # It is what evaluate measures, and what was built is found again.
    alone = tmp_path / "alone.json"
    assert ann("evaluate", NAME, "--preset", "standard", *SMALL, "--json", alone).code == 0
    alike = json.loads(alone.read_text())
    assert standard["evaluation"]["metrics"] == pytest.approx(alike["metrics"])
    assert told["nearest_frame"] == pytest.approx(alike["nearest_frame"])
    assert standard["evaluation"]["settings"]["avatar"] == alike["settings"]["avatar"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["Nobody"], "Nobody"),
        ([NAME, "--engines", "instnat"], "did you mean 'instant'"),
        ([NAME, "--engines", "instant:drfat"], "no preset 'drfat'"),
        ([NAME, "--engines", "instant", "instant:draft"], "named twice"),
        ([NAME, "--engines", "semantic"], "cannot be compared. It needs a base model"),
        ([NAME, "--held-out", "0.5"], "at most 0.2"),
        ([NAME, "--sheet", "there.png"], "there.png exists already"),
        ([NAME, "--sheet", "sheet.jpg"], "let it end in .png"),
        ([NAME, "--json", "there.txt"], "exists already and is no .json file"),
        ([NAME, "--report", "report"], "comparison.md exists already"),
        ([NAME, "--report", "there.png"], "there.png is a file"),
        ([NAME, "--report", "ho me 🏠/subjects/report"], "lies among the projects"),
    ],
)
def test_what_cannot_be_done_is_said_at_once(ann, home, tmp_path, monkeypatch, words, expected) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "report").mkdir()
    kept = [tmp_path / "there.png", tmp_path / "there.txt", tmp_path / "report" / "comparison.md"]
    for file in kept:
        file.write_text("mine")
    before = set(home.glob("subjects/*/jobs/*"))
    said = ann("compare", *words)
    assert said.code == 2
    assert expected in said.sentence
    assert set(home.glob("subjects/*/jobs/*")) == before
    assert [file.read_text() for file in kept] == ["mine"] * 3


def test_an_engine_that_fails_is_left_out_unless_it_was_asked_for(ann, home, tmp_path, monkeypatch) -> None:
    """PVP and Tri²-plane would take minutes: here they fail, one with a sentence for the user."""
    from pipelines import cut_material, cut_volume_material
    from studio.domain.problem import Problem

    def fail(*_: object, **__: object) -> None:
        raise Problem("This clip is too short.")

    monkeypatch.setattr(cut_material, "cut_material", fail)
    monkeypatch.setattr(cut_volume_material, "cut_volume_material", fail)
    file = tmp_path / "figures.json"
    said = ann("compare", NAME, *SMALL, "--json", file)
    assert said.code == 0, said.err
    told = json.loads(file.read_text())
    assert [one["engine"] for one in told["engines"]] == ["instant"]
    assert told["lacking"]["pvp"] == told["lacking"]["tri2plane"] == "This clip is too short."
    assert "train-people" in told["lacking"]["nofa"]
    assert said.err.count("Left out:") == said.out.count("- Left out:") == 5
    said = ann("compare", NAME, *SMALL, "--engines", "pvp")
    assert (said.code, said.sentence) == (2, "This clip is too short.")


def test_a_photo_has_no_end_to_judge_by(studio, sample_clip, tmp_path) -> None:
    from PIL import Image

    from studio.media import read_selected

    ((_, picture),) = read_selected(sample_clip, [0])
    Image.fromarray(picture).save(tmp_path / "me.png")
    assert studio("import", tmp_path / "me.png", "--subject", "Ann").code == 0
    said = studio("compare", "Ann")
    assert said.code == 2
    assert "nothing can be kept back" in said.sentence
