"""Colours that were measured by a job are those that were measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.build_job import find_avatar
from pipelines.colour_job import colour_job, measured_colours
from pipelines.edit_avatar import person_colours
from pipelines.run import run_job
from studio.domain.problem import Problem
from studio.project.store import Store
from tests.cli.edited_home import NAME, instant_files, write_home


@pytest.mark.parametrize("engine", ["instant", "pvp"])
def test_a_job_measures_once_what_anybody_may_read(engine: str, home: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda number: None)
    write_home(home, instant_files(tmp_path / "base"))
    subject = Store(home).find(NAME)
    avatar = find_avatar(subject, engine)
    assert measured_colours(subject, avatar) is None
    job = colour_job(subject, avatar)
    assert run_job(job) == 0
    found = measured_colours(subject, avatar)
    assert found == person_colours(avatar)
    assert found is not None
    assert set(found) == {"skin", "hair", "lips", "eyes", "person"}
    assert found["person"].share > found["skin"].share > 0
    assert colour_job(subject, avatar) == job

    document = job / "measured" / "colours.json"
    document.write_text(document.read_text().replace('"skin": [', '"skin": [7, '))
    with pytest.raises(Problem, match="damaged"):
        measured_colours(subject, avatar)
