"""A base model on its shelf: where it lies, that it is found again, and that variants lie apart."""

from __future__ import annotations

import pytest

from pipelines.build_base import build_base
from pipelines.people_systems import NOFA
from pipelines.training.reporter import reporter_of
from studio.domain.progress import silent
from studio.one_picture.base_models import WEIGHTS
from tests.people.test_train_nofa import little

pytestmark = pytest.mark.timeout(240)


def test_models_of_ablations_are_not_chosen_by_chance(made, tmp_path):
    settings = little(1, validation_identities=0)
    apart = tmp_path / "ablations"
    folder = build_base(NOFA, made, tmp_path, settings, "no W-Net", reporter_of(silent), shelf=apart)
    assert folder is not None
    assert folder.parent == apart / "models"
    assert NOFA.shelf.models(tmp_path) == ()
    assert NOFA.shelf.choose(apart).folder == folder
    written = (folder / WEIGHTS).stat().st_mtime_ns
    assert build_base(NOFA, made, tmp_path, settings, "no W-Net", reporter_of(silent), shelf=apart) == folder
    assert (folder / WEIGHTS).stat().st_mtime_ns == written
