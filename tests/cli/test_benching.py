"""``bench``: which measurement a command line asks for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipelines.bench_result import Bench, Machine, Measured
from pipelines.pvp_bench_settings import PvpBenchSettings
from studio.project.store import Store

MACHINE = Machine("A processor", 2, 8.0, "none", "Linux 6", "3.11.9", "2.6.0", 0.2)


def test_pvp_needs_somebody_or_the_word_for_nobody(studio):
    said = studio("bench", "--engine", "pvp")
    assert said.code == 2
    assert "bench NAME --engine pvp" in said.sentence
    assert "--network-only" in said.sentence


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("--network-only",), "add --engine pvp"),
        (("--live", "--network-only"), "leave the other options out"),
        (("--live", "--window.seconds", "0"), "1 to 120 seconds"),
        (("Ann", "--engine", "pvp", "--network-only"), "leave the name out"),
        (("Bob", "--engine", "pvp"), "no subject named 'Bob'"),
        (("Ann", "--engine", "pvp"), "has no pvp avatar yet"),
        (("Ann", "--engine", "semantic"), "has no semantic avatar yet"),
        (("--engine", "semantic"), "bench NAME --engine semantic"),
        (("--engine", "nofa"), "bench NAME --engine nofa"),
        (("--engine", "pvp", "--network-only", "--pvp.frames", "3"), "at least 10 frames"),
    ],
)
def test_what_cannot_be_measured_is_said(studio, home, words, part):
    Store(home).add("Ann")
    said = studio("bench", *words)
    assert said.code == 2
    assert part in said.sentence


def test_networks_alone_are_measured_and_written(studio, home, monkeypatch):
    asked = []

    def measure(filmed, settings, progress):
        asked.append((filmed, settings))
        return Bench(MACHINE, "Nobody", (Measured("a", "A", 60.0, "frames/s", 54.0),), settings)

    monkeypatch.setattr("pipelines.bench_pvp.bench_pvp", measure)
    figures = home.parent / "figures.json"
    said = studio("bench", "--engine", "pvp", "--network-only", "--pvp.seconds", "0.5", "--json", figures)
    assert said.code == 0
    assert "| A | 60 | frames/s | 54 | reached |" in said.out
    assert asked == [(None, PvpBenchSettings(seconds=0.5))]
    assert json.loads(figures.read_text("utf-8"))["results"][0]["reached"] is True


def test_an_avatar_of_one_picture_is_drawn_at_its_sizes(tmp_path):
    from pipelines.bench_one_picture import SWAY, bench_one_picture, swaying
    from pipelines.bench_trained import Filmed
    from pipelines.one_picture_bench_settings import OnePictureBenchSettings
    from studio.domain.avatar import Avatar
    from studio.engines.semantic.shelf import SHELF
    from studio.one_picture.person_files import save_person
    from tests.engines.semantic.one_person import a_person, shelve

    home = tmp_path / "home"
    folder = home / "subjects" / "ann" / "avatars" / "semantic-1"
    folder.mkdir(parents=True)
    person = a_person(128, shelve(home).reference)
    save_person(folder, SHELF.engine, person)
    avatar = Avatar("Ann", "semantic", "1", folder, person.base.stage)
    nothing_filmed: Any = None
    done = bench_one_picture(Filmed(avatar, nothing_filmed), OnePictureBenchSettings(10, 256))
    rates = {line.id: line for line in done.results if line.unit == "frames/s"}
    assert {*rates} == {f"{who}_256_{how}" for who in ("semantic", "warped") for how in ("full", "draft")}
    assert all(line.value > 0.0 for line in rates.values())

    track = swaying(person.base.sheet, 40)
    for name in SWAY:
        column = track.names.index(name)
        good = person.base.sheet.controls[column].reliable
        assert good is not None
        low, high = good
        assert low < track.values[:, column].min() < track.values[:, column].max() < high
