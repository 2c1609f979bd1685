"""What `prepare` says at its end: that people are too few, and what tells them apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.cli.preparing import FEWEST, FEWEST_JUDGES, face_measure, report
from pipelines.cli.screen import Screen
from studio.assets import AssetLibrary
from studio.corpus.corpus import Split
from tests.people.moving_corpus import write_moving_corpus


@pytest.mark.parametrize(
    ("learn", "judge", "said"),
    [
        (FEWEST - 1, FEWEST_JUDGES, [f"{FEWEST - 1} people to learn from are too few"]),
        (1, 0, ["1 person to learn from is too few", "Nobody held out can hardly say"]),
        (FEWEST, FEWEST_JUDGES - 1, [f"{FEWEST_JUDGES - 1} people held out can hardly say"]),
        (FEWEST, FEWEST_JUDGES, []),
    ],
)
def test_too_few_people_are_told(tmp_path: Path, capsys, learn: int, judge: int, said: list[str]):
    people: dict[str, Split] = {f"learn{i}": "train" for i in range(learn)}
    people |= {f"judge{i}": "held_out" for i in range(judge)}
    report(Screen(), write_moving_corpus(tmp_path / "corpus", people, frames=2))
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == len(said)
    for line, beginning in zip(lines, said, strict=True):
        assert line.startswith(beginning)
        assert line.endswith(".")


def test_without_a_face_network_it_speaks_of_telling_people_apart(tmp_path: Path, capsys):
    face_measure(AssetLibrary(tmp_path), Screen())
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("Telling people apart by their faces is off because")
    assert "--identities FILE" in line
    assert "CSIM" not in line
