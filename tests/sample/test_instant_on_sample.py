"""The whole way on the sample: an instant avatar of its first 80 %, judged on the rest and by the tracker."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from pipelines.aligned_crop import cut_view
from pipelines.build_instant import build_instant
from pipelines.export_video import stage_view
from pipelines.nearest_frame import nearest_training_frames
from pipelines.pick_pivots import PivotSettings, pick_pivots
from studio.domain.camera import View
from studio.domain.controls import track_from_motion
from studio.domain.motion import HeadMotion
from studio.domain.rendering import RenderRequest
from studio.domain.sequence import held_out_split
from studio.head import builtin_head, fit_motion
from studio.media import read_selected
from studio.tracking.mediapipe_tracker import MediapipeTracker
from studio.warping.settings import WarpSettings
from studio.warping.warp_files import load_parts
from studio.warping.warper import Warper


@pytest.fixture(scope="module")
def avatar(sample, tracked_folder, tmp_path_factory) -> tuple[Warper, View, np.ndarray]:
    folder, sequence = tracked_folder
    out = tmp_path_factory.mktemp("avatar")
    pivots = pick_pivots(sequence, PivotSettings(count=80), held_out_split(len(sequence))[0])
    stage = build_instant(sample[0], folder, pivots, WarpSettings(), out)
    parts = load_parts(out)
    return Warper(parts), stage, parts.mesh.rest_camera


def psnr(real: np.ndarray, drawn: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((real.astype(float) - drawn) ** 2)))


def test_unseen_frames_are_drawn_better_than_the_nearest_seen_one(sample, tracked, avatar):
    engine, _, rest = avatar
    train, unseen = held_out_split(len(tracked))
    frames = [t for t in range(unseen.start, unseen.stop, 6) if tracked.good[t]]
    near = nearest_training_frames(tracked, np.array(frames), train, "landmarks").tolist()
    pictures = dict(read_selected(sample[0], sorted({*frames, *near})))
    controls = track_from_motion(tracked.motion, rest, Fraction(25))
    engine_db, nearest_db = [], []
    for frame, closest in zip(frames, near, strict=True):
        view = tracked.crop_view(frame, 256)
        real = cut_view(pictures[frame], view)
        drawn = engine.render(RenderRequest(controls.state(frame), view)).image
        engine_db.append(psnr(real, drawn))
        nearest_db.append(psnr(real, cut_view(pictures[closest], tracked.crop_view(closest, 256))))
    assert len(frames) >= 8
    gain = np.array(engine_db) - nearest_db
    assert gain.mean() > 2.0, (np.mean(engine_db), np.mean(nearest_db))
    assert (gain > 0).mean() > 0.8


def test_the_tracker_reads_back_what_was_asked_for(tracked, avatar):
    engine, stage, rest = avatar
    asked = HeadMotion.neutral(9, rest)
    asked.expression[:] = np.median(tracked.motion.expression, axis=0)
    asked.eyelids[:] = np.median(tracked.motion.eyelids, axis=0)
    asked.angles[:5, 0] = [-24, -12, 0, 12, 24]
    asked.angles[5:7, 1] = [-10, 10]
    asked.eyelids[7] = 1.0
    asked.jaw[8, 0] = 0.25
    controls = track_from_motion(asked, rest, Fraction(25))
    seen = []
    for frame in range(len(asked)):
        tracker = MediapipeTracker(1)  # a new one each time: nothing is carried from pose to pose
        try:
            image = engine.render(RenderRequest(controls.state(frame), stage_view(stage, 512))).image
            faces = tracker.faces(image)
        finally:
            tracker.close()
        assert len(faces) == 1
        seen.append(faces[0].landmarks)
    head = builtin_head()
    read = fit_motion(head, tracked.identity, tracked.offset, np.stack(seen))
    assert np.abs(read.angles[:5, 0] - asked.angles[:5, 0]).max() < 5.0
    assert np.abs(read.angles[5:7, 1] - asked.angles[5:7, 1]).max() < 5.0
    assert (read.eyelids[7] > read.eyelids[2] + 0.4).all()
    mouth = head.vertices(tracked.identity, tracked.offset, read)[:, [13, 14], 1]
    opening = mouth[:, 0] - mouth[:, 1]
    assert opening[8] > opening[2] + 0.006
