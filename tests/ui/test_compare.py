"""The Compare page in the real window, with a real comparison of two presets."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt

from pipelines.build_job import avatars, find_avatar
from pipelines.job import JobStatus, read_made, write_status
from studio.project.avatar_files import load_avatar
from studio.project.sequence_files import load_sequence
from ui.pages.compare import ComparePage
from ui.pages.compare_frames import pixels, read_pictures


@pytest.fixture
def page(window, subject, qtbot) -> ComparePage:
    window.session.open_subject(subject)
    window.show_page("compare")
    found = window.page("compare")
    assert isinstance(found, ComparePage)
    qtbot.waitUntil(lambda: found.a.count() > 0 and found._prospect is not None, timeout=120_000)
    return found


def pick(page: ComparePage, box, name: str) -> None:
    """As a person does: the entry is chosen and the box says so."""
    box.setCurrentIndex(box.findData(name))
    box.activated.emit(box.currentIndex())


def test_two_presets_are_built_without_the_end_and_compared(page, subject, window, qtbot) -> None:
    assert (page.a.currentData(), page.b.currentData()) == ("instant:standard", "instant:draft")
    assert page.state == "ready"
    assert "without it first" in page.ready._sentence.text()
    before = find_avatar(subject, "instant")
    qtbot.mouseClick(page.ready.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.state == "working", timeout=120_000)
    qtbot.waitUntil(lambda: page.state == "result", timeout=900_000)
    comparison = page.result.comparison
    assert comparison is not None

    # The avatar in use saw everything; those that were judged saw nothing of what they were judged by.
    clip = subject.clips()[0]
    sequence = load_sequence(next(page for page in (clip.path / "track").iterdir()))
    first, last = comparison.held_out
    assert (first, last) == (round(0.8 * len(sequence)), len(sequence) - 1)
    keys = read_made(comparison.folder)["inputs"]
    judged = [load_avatar(subject.path / "avatars" / f"instant-{keys[side]}") for side in ("a", "b")]
    assert before.key not in {avatar.key for avatar in judged}
    assert all(avatar.lineage["learnt_from"][1] <= first for avatar in judged)
    assert judged[0].lineage["settings"] != judged[1].lineage["settings"]
    assert page.session.avatar is not None
    assert page.session.avatar.key == before.key, "twins do not push aside the avatar in use"

    # What is in the pictures is what the figures say.
    good = np.flatnonzero(sequence.good)
    np.testing.assert_array_equal(comparison.frames, good[good >= first])
    worst = 0.0
    for side in ("a", "b", "nearest"):
        values = []
        for index in range(len(comparison.pictures)):
            pictures = read_pictures(comparison, index)
            error = pixels(pictures["real"]).astype(float) - pixels(pictures[side])
            values.append(10 * np.log10(255.0**2 / (error**2).mean()))
        np.testing.assert_allclose(comparison.curves[side]["psnr"], values, atol=0.01)
        assert comparison.means[side]["psnr"] == pytest.approx(np.mean(values), abs=0.01)
        worst = np.mean(values)
    assert comparison.means["a"]["psnr"] > worst + 1.0, "the nearest frame is the baseline"
    assert "lpips" in comparison.off

    # Exchanged, it is the same work: there at once, the other way round.
    jobs = sorted(folder.name for folder in subject.jobs())
    psnr = comparison.means["a"]["psnr"], comparison.means["b"]["psnr"]
    page.swap.click()
    qtbot.waitUntil(lambda: page.result.comparison.columns != comparison.columns, timeout=120_000)
    other = page.result.comparison
    assert (other.means["b"]["psnr"], other.means["a"]["psnr"]) == psnr
    assert other.names == comparison.names[::-1]
    assert page.state == "result"
    assert sorted(folder.name for folder in subject.jobs()) == jobs
    # And it is remembered for this clip.
    assert window.session.preferences.text(f"compare.{clip.clip.key}.a") == "instant:draft"
    assert len(avatars(subject)) == 3


def test_the_same_twice_cannot_be_compared(page, qtbot) -> None:
    pick(page, page.b, "instant:standard")
    assert page.state == "ready"
    assert not page.ready.button.isEnabled()
    assert "Pick another" in page.ready._sentence.text()
    pick(page, page.b, "instant:best")
    qtbot.waitUntil(page.ready.button.isEnabled, timeout=120_000)


def test_without_a_clip_it_says_what_to_do_first(window, subject, qtbot) -> None:
    shutil.rmtree(subject.path / "clips")
    window.session.open_subject(subject)
    window.show_page("compare")
    page = window.page("compare")
    assert page.state == "nothing"
    assert not page.a.isVisible()
    with qtbot.waitSignal(window.session.asked_for) as asked:
        page.nothing.button.click()
    assert asked.args == ["capture"]


def test_a_comparison_at_work_elsewhere_is_shown_and_can_be_stopped(page, qtbot) -> None:
    folder: Path = page._prospect.plan.job()
    write_status(folder, _at_work(folder))
    qtbot.waitUntil(lambda: page.state == "working")
    assert "Step 4 of 5" in page._stage.text()
    assert page.bar.value() == 700
    page.stop_button.click()
    assert (folder / "stop").exists()
    write_status(folder, JobStatus("stopped", 3, 5))
    qtbot.waitUntil(lambda: page.state == "ready")
    assert page.ready.button.text() == "Go on"
    write_status(folder, JobStatus("failed", 3, 5, message="The disk is full: make room.", problem=True))
    qtbot.waitUntil(lambda: page.ready._sentence.text() == "The disk is full: make room.")


def _at_work(folder: Path) -> JobStatus:
    """As this process would report it."""
    import socket

    import psutil

    me = psutil.Process()
    return JobStatus(
        "running",
        3,
        5,
        "measuring",
        50,
        100,
        pid=me.pid,
        process_started=me.create_time(),
        host=socket.gethostname(),
        share=0.7,
    )
