"""FLAME instead of the built-in head: asked for by a path, refused in words where it cannot serve."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.build_instant import build_instant
from pipelines.pick_pivots import PivotSettings, pick_pivots
from pipelines.track_video import choose_head
from studio.domain.problem import Problem
from studio.head import builtin_head
from studio.project.sequence_files import save_sequence
from studio.tracking.settings import TrackSettings
from studio.warping.settings import WarpSettings
from tests.pivots.test_pick_pivots import sequence_of, three_poses


def test_the_built_in_head_is_the_default() -> None:
    assert choose_head(TrackSettings()) is builtin_head()


def test_flame_without_its_embedding_or_its_file_is_explained(tmp_path: Path) -> None:
    model = tmp_path / "generic_model.pkl"
    with pytest.raises(Problem, match="mediapipe_landmark_embedding"):
        choose_head(TrackSettings(flame=str(model)))
    (tmp_path / "mediapipe_landmark_embedding.npz").write_bytes(b"x")
    with pytest.raises(Problem, match=r"generic_model\.pkl is not there"):
        choose_head(TrackSettings(flame=str(model)))


def test_an_instant_avatar_of_a_flame_sequence_is_refused(tmp_path: Path) -> None:
    sequence = sequence_of(three_poses())
    other = replace(sequence, head_model="flame-2020", offset=np.zeros((5023, 3), np.float32))
    save_sequence(tmp_path, other)
    pivots = pick_pivots(other, PivotSettings(count=3), slice(0, 96))
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(Problem, match="without --flame"):
        build_instant(tmp_path / "clip.mp4", tmp_path, pivots, WarpSettings(), out)
    assert not list(out.iterdir())
