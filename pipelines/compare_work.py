"""The worker's side of a comparison: judge both avatars and keep what was seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.compare_job import CompareSettings
from pipelines.compare_result import COMPARISON, CURVES, FILE, FRAMES, Side
from pipelines.evaluate_avatar import EvaluateSettings, Picture, evaluate_avatar
from pipelines.job import Task
from pipelines.judged_avatar import judged_by_the_end, open_avatar
from studio.assets import AssetLibrary
from studio.metrics import METRICS
from studio.project.atomic import explaining_disk
from studio.project.documents import write_document
from studio.project.store import open_clip
from studio.tracking.quiet import quiet

_SQUEEZE = 2
"""How hard PNG tries: pictures take a fifth more room than with the most, and a third of the time."""


def compare(task: Task) -> None:
    """Clip, TrackedSequence and two avatars to a comparison. Raises Problem."""
    settings: CompareSettings = task.settings
    clip = open_clip(task.inputs["clip"].parent)
    with ExitStack() as stack:
        a, b = (open_avatar(task.inputs[side], stack) for side in ("a", "b"))
        judged = judged_by_the_end(
            a, task.inputs["track"], task.inputs["clip"], task.step.held_out, stack, clip.clip.title
        )
        sequence = judged.sequence
        judged_frames = np.arange(len(sequence))[judged.held_out][sequence.good[judged.held_out]]
        keeper = _Keeper(task.out, _kept(judged_frames, settings.pictures))
        with quiet():
            result = evaluate_avatar(
                judged,
                EvaluateSettings(settings.size, settings.nearest, settings.lpips),
                avatar=a.avatar,
                beside=b.beside(b.avatar.engine),
                assets=AssetLibrary(task.home),
                witness=keeper,
                progress=task.progress,
            )
    with explaining_disk(task.out):
        np.savez_compressed(task.out / CURVES, **keeper.curves)
    means = {"a": result.metrics, "b": result.beside, "nearest": result.nearest_frame}
    content = {
        "sides": {
            name: {"engine": side.avatar.engine, "key": side.avatar.key}
            for name, side in (("a", a), ("b", b))
        },
        "clip": clip.clip.title,
        "size": settings.size,
        "rate": float(sequence.rate),
        "held_out": list(result.held_out),
        "frames": keeper.frames,
        "pictures": sorted(keeper.kept),
        "measures": [_about(metric) for metric in METRICS],
        "means": {name: dict(values) for name, values in means.items()},
        "off": dict(result.off),
        "fps": {"a": result.fps, "b": result.beside_fps},
        "counts": dict(result.counts),
        "settings": dict(result.settings),
    }
    write_document(task.out / FILE, COMPARISON, content)


class _Keeper:
    """Writes the pictures of some frames, and remembers the values of all."""

    def __init__(self, folder: Path, kept: set[int]) -> None:
        self.kept = kept
        self.frames: list[int] = []
        self.curves: dict[str, npt.NDArray[np.float32]] = {}
        self._folder = folder / FRAMES
        with explaining_disk(self._folder):
            self._folder.mkdir()

    def saw(self, frame: int, pictures: Sequence[Picture]) -> None:
        """One frame: real, A, nearest training frame, B."""
        self.frames.append(frame)
        if frame not in self.kept:
            return
        real, a, nearest, b = pictures
        strip = cv2.cvtColor(np.concatenate([real, a, b, nearest], 1), cv2.COLOR_RGB2BGR)
        done, data = cv2.imencode(".png", strip, [cv2.IMWRITE_PNG_COMPRESSION, _SQUEEZE])
        if not done:
            raise ValueError(f"frame {frame} could not be encoded")
        path = self._folder / f"{frame:06d}.png"
        with explaining_disk(path):
            path.write_bytes(data.tobytes())

    def measured(self, values: Sequence[Mapping[str, npt.NDArray[np.floating]]]) -> None:
        """Values per frame of A, nearest training frame and B."""
        sides: tuple[Side, ...] = ("a", "nearest", "b")
        for side, measures in zip(sides, values):
            for name, along in measures.items():
                # What is infinite, e.g. the PSNR of an equal picture, no curve can show.
                known = np.where(np.isfinite(along), along, np.nan).astype(np.float32)
                if np.isfinite(known).any():
                    self.curves[f"{side}.{name}"] = known


def _kept(frames: npt.NDArray[np.integer], most: int) -> set[int]:
    """Every n-th frame, so that there are no more than ``most``."""
    every = max(1, -(-len(frames) // max(1, most)))
    return {int(frame) for frame in frames[::every]}


def _about(metric: Any) -> dict[str, Any]:
    names = ("id", "title", "unit", "better", "digits", "source")
    return {name: getattr(metric, name) for name in names}
