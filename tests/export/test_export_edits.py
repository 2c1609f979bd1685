"""An export shows the edits that there were when it was asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.export_job import export_job
from pipelines.export_settings import ExportSettings
from pipelines.run import FINISHED, run_job
from studio.domain.avatar import Avatar
from studio.domain.edits import Edit, EditStack, ShapeShift
from studio.engines.engine import EngineSpec
from studio.project.edit_files import save_edits

CHUBBY = EditStack((Edit("chubby", "Chubby", "shape", ShapeShift(np.ones(3, np.float32), "builtin-1")),))


@pytest.fixture
def opened(someone, monkeypatch: pytest.MonkeyPatch) -> list[Avatar]:
    """Avatars in the order in which engines are given them."""
    from tests.export.conftest import load_grey

    found: list[Avatar] = []

    def load(self: EngineSpec, avatar: Avatar):
        found.append(avatar)
        return load_grey(avatar)

    monkeypatch.setattr(EngineSpec, "load", load)
    return found


@pytest.mark.parametrize("later", [EditStack(), CHUBBY.changed("chubby", strength=0.1)])
def test_edits_are_kept_with_the_job(someone, motion, tmp_path, opened, later):
    save_edits(someone.avatar.folder, CHUBBY)
    shown = replace(someone.avatar, edits=CHUBBY)
    job = export_job(someone.subject, shown, motion(4), tmp_path / "film.mp4", ExportSettings(size=64))
    save_edits(someone.avatar.folder, later)
    assert run_job(job) == FINISHED
    assert opened == [shown]


def test_an_avatar_that_is_shown_without_edits_is_exported_without(someone, motion, tmp_path, opened):
    save_edits(someone.avatar.folder, CHUBBY)
    job = export_job(
        someone.subject, someone.avatar, motion(4), tmp_path / "film.mp4", ExportSettings(size=64)
    )
    assert not (job / "edits").exists()
    assert run_job(job) == FINISHED
    assert opened == [someone.avatar]
