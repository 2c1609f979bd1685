"""An engine beside another one, and with one part taken out, by commands."""

from __future__ import annotations

import json

import cv2
import pytest

from pipelines.evaluation_report import is_better
from studio.metrics import METRICS

NAME = "Ann Lee 🎬"
SMALL = ["--size", 64, "--instant.texture-size", 128, "--pivots.count", 6]


def test_an_engine_beside_another_and_without_one_of_its_parts(ann, home, tmp_path):
    file, sheet, folder = tmp_path / "figures.json", tmp_path / "sheet.png", tmp_path / "ablation"
    said = ann("evaluate", NAME, *SMALL, "--beside", "instant:draft", "--json", file, "--sheet", sheet)
    assert said.code == 0
    figures = json.loads(file.read_text())
    assert figures["beside_engine"] == "instant:draft"
    assert figures["beside"].keys() == figures["metrics"].keys() == figures["nearest_frame"].keys()
    assert figures["beside"]["psnr"] != figures["metrics"]["psnr"]
    assert figures["beside_fps"] > 0
    settings = figures["settings"]
    assert settings["changes"] == {"instant.texture_size": 128, "pivots.count": 6}
    folders = {place.name for place in home.glob("subjects/*/avatars/*")}
    assert {settings["avatar"], settings["beside_avatar"]} < folders
    assert settings["avatar"] != settings["beside_avatar"]
    ids = [m for m in METRICS if m.id in figures["metrics"]]
    wins = sum(is_better(m, figures["metrics"][m.id], figures["beside"][m.id]) for m in ids)
    assert f"Better than instant:draft on {wins} of {len(ids)} measures" in said.out
    assert "| instant | instant:draft | nearest training frame |" in said.out
    assert cv2.imread(str(sheet)).shape[0] == 7 * (256 + 22)

    said = ann("ablate", NAME, *SMALL, "--preset", "standard", "--report", folder)
    assert said.code == 0
    told = json.loads((folder / "ablation.json").read_text())
    full, variant = told["full"]["clips"][0], told["variants"]["random pivots"]["clips"][0]
    assert full["metrics"] == pytest.approx(figures["metrics"])
    assert full["nearest_frame"] == variant["nearest_frame"]
    assert variant["settings"]["changes"]["pivots.choice"] == "random"
    assert variant["metrics"]["psnr"] != full["metrics"]["psnr"]
    assert told["variants"]["random pivots"]["difference"]["psnr"] == pytest.approx(
        variant["metrics"]["psnr"] - full["metrics"]["psnr"]
    )
    assert said.out.strip() == (folder / "ablation.md").read_text(encoding="utf-8").strip()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["evaluate", NAME, "--beside", "instnat"], "did you mean 'instant'"),
        (["evaluate", NAME, "--beside", "instant:drfat"], "no preset 'drfat'"),
        (["evaluate", NAME, "--engine", "instnat"], "did you mean 'instant'"),
        (["ablate"], "main.py ablate NAME"),
        (["ablate", NAME, "--only", "no brain"], "no variant 'no brain'; there are: random pivots."),
        (["ablate", NAME, "--pivots.choice", "random"], "what the options ask for already"),
        (["ablate", NAME, "--held-out", "0.5"], "at most 0.2"),
    ],
)
def test_what_cannot_be_measured_is_said_at_once(ann, home, words, expected):
    before = set(home.glob("subjects/*/jobs/*"))
    said = ann(*words)
    assert said.code == 2
    assert expected in said.sentence
    assert set(home.glob("subjects/*/jobs/*")) == before


def test_help_names_the_variants_and_the_settings_of_every_stage(studio):
    said = studio("ablate", "--help")
    assert said.code == 0
    assert "pivots.choice = random" in " ".join(said.out.split())
    for command in ("ablate", "evaluate", "build"):
        shown = studio(command, "--help").out
        assert "--pivots.choice" in shown
        assert "--instant.texture-size" in shown
