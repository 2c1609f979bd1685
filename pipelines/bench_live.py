"""How live the window is: pictures shown a second and slider to pixel, alone and beside a build."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines import runner
from pipelines.bench_result import Bench, Measured, this_machine
from pipelines.build_job import plan_build
from pipelines.import_job import import_clip
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.project.store import ClipFolder, Store, SubjectFolder

_ROOT = Path(__file__).resolve().parents[1]
LONGEST = 900.0
"""Seconds that one window may take."""


@dataclass(frozen=True)
class LiveBenchSettings:
    """How the window is measured."""

    seconds: float = 8.0
    """Seconds of dragging that count, in each quality."""
    beside: str = "pvp"
    """Engine that is built beside it, with its cheapest preset."""


def bench_live(
    clip: Path | None = None,
    settings: LiveBenchSettings | None = None,
    progress: Progress = silent,
    sample: Path | None = None,
) -> Bench:
    """Import and build a clip in a home of its own, then drag a slider in the real window.

    Args:
        clip: a video of one face; None for the bundled sample.
        settings: see :class:`LiveBenchSettings`.
        progress: told of each stage.
        sample: where the bundled sample is kept once it is rendered; None to throw it away again.

    Raises:
        Problem: the clip cannot be read or tracked, the disk is full, or no window can be opened.
    """
    chosen = settings or LiveBenchSettings()
    if not 1.0 <= chosen.seconds <= 120.0:
        raise Problem(f"A measurement takes 1 to 120 seconds, not {chosen.seconds:g}.")
    machine = this_machine()
    with tempfile.TemporaryDirectory(prefix="avatar-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if clip is None:
            from pipelines.make_sample import make_sample

            clip = sample or folder / "sample.mp4"
            make_sample(clip, progress=progress)
        home = folder / "home"
        subject, imported = _build(home, clip, progress)
        progress(0, 2, "dragging in the window")
        alone = _window(home, chosen.seconds)
        progress(1, 2, "dragging beside a build")
        job = runner.start(plan_build(subject, imported, chosen.beside, "draft").job(), modest=True)
        try:
            busy = _window(home, chosen.seconds)
            held = not job.status().over
        finally:
            job.kill()
        progress(2, 2, "dragging beside a build")
    whose = "Bundled sample" if sample else clip.name
    title = f"{whose}: {alone['draft']['width']}² in a window ({alone['platform']})"
    results = [*_lines("", "Alone", alone, 54.0)]
    if held:
        results += _lines("busy_", f"Beside a build ({chosen.beside})", busy, 30.0)
    return Bench(machine, title, tuple(results), chosen)


def _build(home: Path, clip: Path, progress: Progress) -> tuple[SubjectFolder, ClipFolder]:
    done = import_clip(Store(home), "Bench", clip)
    for number, what in enumerate(("tracking", "building")):
        progress(number, 2, what)
        folder = done.job if what == "tracking" else plan_build(done.subject, done.clip, "instant").job()
        if folder is None:
            continue
        status = runner.start(folder).wait()
        if status.state != "finished":
            raise Problem(status.message or f"The {what} of the measured clip ended early: try again.")
    return done.subject, done.clip


def _window(home: Path, seconds: float) -> dict[str, Any]:
    """What a window in a process of its own measured: Qt is its business."""
    command = [sys.executable, "-m", "ui.bench_live", str(home), str(seconds)]
    try:
        done = subprocess.run(
            command, cwd=_ROOT, capture_output=True, text=True, check=False, timeout=LONGEST, encoding="utf-8"
        )
    except subprocess.TimeoutExpired as error:
        raise Problem("The window did not answer in time: close other programs and try again.") from error
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise Problem(
            f"The window could not be measured ({last}): without a screen, set QT_QPA_PLATFORM=offscreen."
        )
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def _lines(key: str, title: str, found: dict[str, Any], target: float) -> Iterator[Measured]:
    """Rates are promised for the quality that moving pictures have."""
    words = {"draft": "as the window drags", "full": "in full quality"}
    for quality, what in words.items():
        figures = found[quality]
        promised = target if quality == "draft" else None
        name, text = f"{key}{quality}", f"{title}, {what}"
        yield Measured(f"{name}_rate", f"{text}: shown", figures["rate"], "frames/s", promised)
        yield Measured(f"{name}_p50", f"{text}: slider to pixel, median", figures["p50"], "ms")
        yield Measured(f"{name}_p95", f"{text}: slider to pixel, 95 % within", figures["p95"], "ms")
