"""kill -9 of a job, of the live worker and of the window: the other two go on, and the project is whole."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from pipelines.build_job import avatars
from pipelines.export_job import export_job
from pipelines.export_settings import ExportSettings
from pipelines.job import read_status
from studio.domain.controls import HEAD_NAMES, ControlTrack
from studio.media import probe
from studio.project.store import Store, SubjectFolder
from tests.ui.story import SLOW, Story, opened
from tests.ui.story_process import window_process

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL on Windows"),
]
FRAMES = 400


def long_export(subject: SubjectFolder, target: Path) -> Path:
    """The job of a film that takes some seconds."""
    avatar = avatars(subject)[-1]
    values = np.zeros((FRAMES, len(HEAD_NAMES)), np.float32)
    values[:, HEAD_NAMES.index("yaw")] = 20 * np.sin(np.arange(FRAMES) / 20)
    track = ControlTrack(HEAD_NAMES, values, Fraction(25))
    return export_job(subject, avatar, track, target, ExportSettings(size=256))


def at_work(job: Path) -> Any:
    """Its status while frames are being written, None before."""
    status = read_status(job)
    assert status.state != "finished"  # else what is killed is nothing
    return status if status.state == "running" and status.done >= 5 else None


def draws(story: Story) -> bool:
    """Whether the live worker answers with a picture that it has not drawn before."""
    live = story.session.live
    before = live.frame
    assert before is not None
    state = before.request.state
    values = state.values.copy()
    values[state.names.index("yaw")] += 1.25
    ticket = live.ask(replace(before.request, state=replace(state, values=values)))

    def drawn() -> bool:
        return live.frame is not None and live.frame.ticket >= ticket

    story.qtbot.waitUntil(drawn, timeout=SLOW)
    return True


def test_job_and_live_worker_are_killed_and_the_window_goes_on(
    qtbot, qapp, subject, filled_store, tmp_path
) -> None:
    film = tmp_path / "film.mp4"
    with opened(qtbot, qapp, filled_store.home) as story:
        story.session.open_subject(subject)
        perform = story.page("Perform")
        story.until(lambda: perform.viewport.frame is not None)
        job = long_export(subject, film)
        story.session.jobs.start(job)
        story.until(lambda: at_work(job))

        os.kill(at_work(job).pid, signal.SIGKILL)
        banner = story.window.banner
        qtbot.waitUntil(lambda: banner.failure is not None, timeout=SLOW)
        failure: Any = banner.failure
        assert "safe" in failure.safe
        assert read_status(job).state == "crashed"
        assert not film.exists()
        assert draws(story)
        banner.dismiss()

        story.session.jobs.start(job)
        story.until(lambda: at_work(job))
        killed = worker_pid(story)
        os.kill(killed, signal.SIGKILL)
        story.until(lambda: story.session.live.worker.alive and worker_pid(story) != killed)
        story.until(lambda: story.session.live.worker.sheet is not None)
        assert draws(story)
        story.until(lambda: read_status(job).state == "finished")
        story.until(lambda: all(j.status.over for j in story.session.jobs.jobs()))
    assert probe(film).frames == FRAMES


def worker_pid(story: Story) -> int:
    """The live worker's process."""
    return story.session.live.worker.pid or 0


def test_the_window_is_killed_and_the_job_goes_on(qtbot, qapp, subject, filled_store, tmp_path) -> None:
    film = tmp_path / "film.mp4"
    job = long_export(subject, film)
    with window_process(filled_store.home) as window:
        window.until("window.isVisible()")
        window.ask(f"session.open_subject(session.store.find({subject.name!r}))")
        window.ask("window.show_page('perform')")
        window.until("window.page('perform').viewport.frame is not None")
        live = psutil.Process(window.until("session.live.worker.pid"))
        window.ask(f"session.jobs.start(__import__('pathlib').Path({str(job)!r}))")
        qtbot.waitUntil(lambda: at_work(job) is not None, timeout=SLOW)
        worker = psutil.Process(read_status(job).pid)
        window.process.kill()
        window.wait()
    psutil.wait_procs([live], timeout=60)
    assert not live.is_running()
    assert worker.is_running()
    qtbot.waitUntil(lambda: read_status(job).over, timeout=SLOW)
    assert read_status(job).state == "finished"
    assert probe(film).frames == FRAMES

    store = Store(filled_store.home)
    assert not store.subjects().problems
    with opened(qtbot, qapp, store.home) as story:
        assert story.session.subject is not None
        assert story.session.subject.name == subject.name
        queue = story.page("Export").queue
        story.until(lambda: [row.state for row in queue.rows.values()] == ["finished"])
        perform = story.page("Perform")
        story.until(lambda: perform.viewport.frame is not None)
        assert draws(story)
