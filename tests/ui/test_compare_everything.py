"""All engines in one table on the Compare page, from made comparisons; nothing is built here."""

from __future__ import annotations

import socket
from pathlib import Path

import psutil
import pytest

from pipelines.build_job import plan_build
from pipelines.compare_job import contenders
from pipelines.compared_engines import KIND
from pipelines.job import JobStatus, read_job, write_status
from studio.engines.catalog import ENGINES
from studio.project.sequence_files import save_sequence
from studio.project.store import Store, SubjectFolder
from tests.evaluate.compared_pairs import write_pair
from tests.evaluate.judged_clip import tracked_clip, write_clip
from tests.evaluate.test_compare_job import pretend
from ui.pages.compare import ComparePage


@pytest.fixture
def subject(store: Store, tmp_path: Path) -> SubjectFolder:
    """Somebody whose clip is tracked, as far as planning looks at it; nothing was built."""
    made = store.add("Anna")
    clip, _ = made.add_clip(write_clip(tmp_path / "clip.mp4"))
    step = plan_build(made, clip, "instant", "draft").plan.steps[0]
    save_sequence(pretend(step, made), tracked_clip())
    return made


@pytest.fixture
def page(window, subject, qtbot) -> ComparePage:
    window.session.open_subject(subject)
    window.show_page("compare")
    found = window.page("compare")
    assert isinstance(found, ComparePage)
    qtbot.waitUntil(lambda: found.a.count() > 0, timeout=120_000)
    return found


@pytest.fixture
def pairs(subject) -> None:
    """Instant against PVP, both drafts."""
    clip = subject.clips()[0]
    sides = {side.id: side for side in contenders(subject, clip)}
    instant, pvp = sides["instant:draft"], sides["pvp:draft"]
    one = (instant, {"psnr": 24.5, "aed": 0.5}, 61.2)
    other = (pvp, {"psnr": 25.75, "aed": 0.7}, 40.0)
    write_pair(subject, clip, {"one": one, "other": other})


def everything(page: ComparePage, qtbot):
    page.all.click()
    qtbot.waitUntil(lambda: page.everything.found is not None, timeout=120_000)
    return page.everything


def cells(table) -> list[list[str]]:
    return [[table.item(r, c).text() for c in range(table.columnCount())] for r in range(table.rowCount())]


def at_work(step: int, share: float) -> JobStatus:
    """As this process would report it."""
    me = psutil.Process()
    return JobStatus(
        "running",
        step,
        9,
        "measuring",
        50,
        100,
        pid=me.pid,
        process_started=me.create_time(),
        host=socket.gethostname(),
        share=share,
    )


def test_where_nothing_was_compared_it_says_what_to_do(page, subject, qtbot, monkeypatch) -> None:
    view = everything(page, qtbot)
    assert (page.state, view.state) == ("everything", "empty")
    assert not page.a.isVisible()
    words = view.empty._sentence.text()
    # Nothing is built: the quickest preset stands for its engine.
    for name in (
        "Instant · Draft",
        "Personal prior (PVP) · Draft",
        "Three-scale volume (Tri²-plane) · Draft",
    ):
        assert name in words
    assert "min here" in words
    started: list = []
    monkeypatch.setattr(page.session.jobs, "start", lambda folder, failed: started.append(folder))
    view.empty.button.click()
    qtbot.waitUntil(lambda: bool(started))
    plan = read_job(started[0])
    assert plan.kind == KIND
    assert [step.id for step in plan.steps].count("compare") == 2
    assert view.state == "figures", "what is going on is shown"
    assert view.bar.isVisible()
    page.all.click()
    assert page.a.isVisible()
    qtbot.waitUntil(lambda: page.state == "ready")


def test_the_table_has_a_row_for_each_and_ticks_the_best(page, pairs, qtbot) -> None:
    view = everything(page, qtbot)
    assert view.state == "figures"
    heads = [view.table.horizontalHeaderItem(c).text() for c in range(view.table.columnCount())]
    assert heads == ["Avatar", "↑ PSNR", "↓ AED", "↑ Frames/s"]
    assert cells(view.table) == [
        ["Instant · Draft", "24.50", "✓ 0.500", "✓ 61.2"],
        ["Personal prior (PVP) · Draft", "✓ 25.75", "0.700", "40.0"],
        ["Nearest training frame", "18.00", "0.900", "–"],
    ]
    assert "30 frames that none of them has seen" in view._about.text()
    assert "Three-scale volume (Tri²-plane) · Draft" in view._next.text()
    assert "PVP" not in view._next.text()
    assert view.rest.isVisible()
    assert view.rest.text() == "Compare the rest"
    # Those without a base model are named, and why is a touch away.
    for engine in ("semantic", "export3d", "nofa"):
        assert ENGINES[engine].title in view._left_out.text()
    assert view._left_out.toolTip().count("train-people") == 3


def test_it_can_be_stopped_and_gone_on_with(page, pairs, subject, qtbot, monkeypatch) -> None:
    view = everything(page, qtbot)
    folder = view.found.rest.job()
    steps = len(read_job(folder).steps)
    write_status(folder, at_work(steps - 1, 0.7))
    qtbot.waitUntil(lambda: view.stop_button.isVisible() and view.bar.value() == 700)
    assert f"Step {steps} of {steps}: Comparing on frames" in view._next.text()
    assert not view.rest.isVisible()
    view.stop_button.click()
    assert (folder / "stop").exists()
    write_status(folder, JobStatus("stopped", 3, steps))
    qtbot.waitUntil(lambda: view.rest.isVisible() and view.rest.text() == "Go on")
    assert "what was done so far is kept" in view._next.text()
    started: list = []
    monkeypatch.setattr(page.session.jobs, "start", lambda folder, failed: started.append(folder))
    view.rest.click()
    assert started == [folder]


def test_a_comparison_that_is_done_becomes_a_row(page, pairs, subject, qtbot) -> None:
    view = everything(page, qtbot)
    rest = view.found.rest
    folder = rest.job()
    write_status(folder, at_work(0, 0.1))
    qtbot.waitUntil(view.stop_button.isVisible)
    clip = subject.clips()[0]
    sides = {side.id: side for side in contenders(subject, clip)}
    one = (sides["instant:draft"], {"psnr": 24.5, "aed": 0.5}, 61.2)
    other = (sides["tri2plane:draft"], {"psnr": 20.0, "aed": 2.0}, 9.0)
    write_pair(subject, clip, {"one": one, "other": other}, made="2026-01-02")
    write_status(folder, JobStatus("finished", 9, 9))
    qtbot.waitUntil(lambda: view.table.rowCount() == 4, timeout=120_000)
    assert not view.rest.isVisible()
    assert not view.bar.isVisible()
