"""What was rendered is what is written."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pipelines.export_video import ExportSettings, export_video, stage_view
from studio.domain.camera import Similarity, View
from studio.domain.controls import HEAD_NAMES, Control, ControlSheet, ControlTrack
from studio.domain.progress import Interrupted
from studio.domain.rendering import Frame, RenderRequest
from studio.media import probe, read_frames

STAGE = View(Similarity(0.5, 0.0, -10.0, -20.0), 256, 256)


class Grey:
    """An engine whose whole picture is as bright as the yaw it is asked for."""

    sheet = ControlSheet(tuple(Control(n, n, "angle", "Head", -300, 300, 0) for n in HEAD_NAMES))

    def render(self, request: RenderRequest) -> Frame:
        shape = (request.view.height, request.view.width, 3)
        return Frame(np.full(shape, int(request.state["yaw"]), np.uint8), None, request, 0.1)

    def close(self) -> None:
        pass


def track(frames: int, rate: Fraction) -> ControlTrack:
    values = np.zeros((frames, len(HEAD_NAMES)), np.float32)
    values[:, 0] = np.linspace(40, 200, frames)
    return ControlTrack(HEAD_NAMES, values, rate)


def test_every_state_becomes_a_frame_at_the_exact_rate(tmp_path: Path) -> None:
    out = tmp_path / "film.mp4"
    rate = Fraction(30000, 1001)
    told: list[tuple[int, int | None]] = []
    done = export_video(
        Grey(),
        track(20, rate),
        STAGE,
        out,
        ExportSettings(size=64),
        progress=lambda d, t, _: told.append((d, t)),
    )
    assert done.frames == 20
    info = probe(out)
    assert (info.width, info.height, info.rate, info.has_sound) == (64, 64, rate, False)
    shown = [frame.mean() for frame in read_frames(out)]
    assert np.allclose(shown, np.linspace(40, 200, 20).astype(int), atol=3)
    assert told[-1] == (20, 20)


def test_an_interrupted_export_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int | None, what: str) -> None:
        if done == 5:
            raise Interrupted

    with pytest.raises(Interrupted):
        export_video(
            Grey(), track(20, Fraction(25)), STAGE, tmp_path / "x.mp4", ExportSettings(size=64), progress=stop
        )
    assert list(tmp_path.iterdir()) == []


def test_the_stage_shows_the_same_at_any_size() -> None:
    view = stage_view(STAGE, 512)
    corners = np.array([[0, 0], [512, 512]], np.float32)
    source = view.placement.inverse().apply(corners)
    assert np.allclose(source, STAGE.placement.inverse().apply(corners / 2), atol=1e-3)
