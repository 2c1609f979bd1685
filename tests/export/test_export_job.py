"""Exports as jobs: kept aside as asked for, in turn, paused, stopped, and whole or not at all."""

from __future__ import annotations

import threading
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from pipelines import export_job as export_module
from pipelines import export_video as export_video_module
from pipelines.export_job import PAUSED, WAITING, export_job, exports, forget, go_on, pause, read_export
from pipelines.export_settings import ExportSettings
from pipelines.job import read_status, request
from pipelines.run import FINISHED, INTERRUPTED, PROBLEM, run_job
from studio.domain.problem import Problem
from studio.media import probe
from studio.media.encoder import aside_of
from studio.media.provenance import read_comment

TINY = ExportSettings(size=64)


@pytest.fixture
def ask(someone, motion, tmp_path):
    """Ask for an export of 20 frames to tmp_path/out/<name>."""
    out = tmp_path / "out"
    out.mkdir()

    def asked(name="film.mp4", settings=TINY, **more):
        return export_job(
            someone.subject, someone.avatar, more.pop("track", motion()), out / name, settings, **more
        )

    return asked


def written(job):
    receipt = read_export(job).receipt
    assert receipt is not None
    return receipt.frames


def names_in(folder):
    return sorted(each.name for each in folder.iterdir())


def at_frame(monkeypatch, number, action):
    """Call ``action`` when that many frames have been rendered."""
    real = export_video_module.Finish.__call__
    count = [0]

    def finish(self, frame):
        count[0] += 1
        if count[0] == number:
            action()
        return real(self, frame)

    monkeypatch.setattr(export_video_module.Finish, "__call__", finish)
    return count


def until(condition):
    """Wait for something another thread does."""
    for _ in range(600):
        if condition():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it never came")


def test_an_export_is_rendered_as_asked_and_leaves_a_receipt(ask, someone, tmp_path, motion):
    track = motion(12, Fraction(30))
    job = ask("shots", ExportSettings("png", size=64, range="2:"), track=track)
    assert read_export(job).status.state == "queued"
    assert names_in(tmp_path / "out") == []
    # What is done to the motion afterwards does not matter: the job has its own.
    track.values[:] = 0
    assert run_job(job) == FINISHED
    files = sorted((tmp_path / "out" / "shots").glob("*.png"))
    shown = [int(np.asarray(Image.open(file))[32, 32, 0]) for file in files]
    assert shown == np.linspace(40, 200, 12).astype(int)[2:].tolist()
    (done,) = exports(someone.store)
    assert (done.job, done.subject, done.status.state) == (job, "Someone", "finished")
    assert done.receipt is not None
    assert (done.receipt.frames, done.receipt.rate) == (10, 30)
    assert done.receipt.size_bytes == sum(file.stat().st_size for file in files)
    assert job.name.removeprefix("export-") in read_comment(tmp_path / "out" / "shots")


def test_the_same_export_can_be_asked_for_again(ask, tmp_path):
    first = ask()
    assert run_job(first) == FINISHED
    with pytest.raises(Problem, match="exists already"):
        ask()
    again = ask(overwrite=True)
    assert again != first
    before = (tmp_path / "out" / "film.mp4").stat().st_mtime_ns
    assert run_job(again) == FINISHED
    assert (tmp_path / "out" / "film.mp4").stat().st_mtime_ns > before


def test_a_file_that_appears_meanwhile_is_not_replaced(ask, tmp_path):
    job = ask()
    (tmp_path / "out" / "film.mp4").write_bytes(b"the only copy")
    assert run_job(job) == PROBLEM
    assert "exists already" in read_status(job).message
    assert (tmp_path / "out" / "film.mp4").read_bytes() == b"the only copy"


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("film.webm", TINY, "choose vp9"),
        ("nowhere/film.mp4", TINY, "no folder"),
        ("film.mp4", replace(TINY, range="90:"), "shows nothing"),
        ("film.mp4", replace(TINY, size=65), "even sides"),
    ],
)
def test_what_cannot_be_exported_leaves_no_job(ask, someone, name, settings, expected):
    with pytest.raises(Problem, match=expected):
        ask(name, settings)
    assert exports(someone.store) == ()
    assert not (someone.subject.path / "jobs").exists()


def test_nothing_is_written_among_the_projects_or_over_the_driver(ask, someone, tmp_path, motion):
    inside = someone.subject.path / "film.mp4"
    with pytest.raises(Problem, match="among the projects"):
        export_job(someone.subject, someone.avatar, motion(), inside, TINY)
    driver = tmp_path / "out" / "driver.mp4"
    driver.write_bytes(b"the only copy")
    with pytest.raises(Problem, match="to be read"):
        ask("driver.mp4", sound_from=driver, overwrite=True)
    assert driver.read_bytes() == b"the only copy"


@pytest.mark.parametrize("codec", ["h264", "png"])
@pytest.mark.parametrize("wish", ["stop", "cancel"])
def test_stopped_or_cancelled_leaves_nothing_and_starts_over(ask, tmp_path, monkeypatch, wish, codec):
    name = "shots" if codec == "png" else "film.mp4"
    job = ask(name, ExportSettings(codec, size=64))

    # The wish is looked for twenty times a second: the frame after it waits for that.
    def wished():
        request(job, wish)
        threading.Event().wait(0.06)

    count = at_frame(monkeypatch, 5, wished)
    assert run_job(job) == INTERRUPTED
    assert read_status(job).state == {"stop": "stopped", "cancel": "cancelled"}[wish]
    assert count[0] < 20
    assert names_in(tmp_path / "out") == []
    assert run_job(job) == FINISHED
    assert written(job) == 20
    assert names_in(tmp_path / "out") == [name]


def test_paused_it_rests_and_goes_on_where_it_was(ask, tmp_path, monkeypatch):
    job = ask()
    count = at_frame(monkeypatch, 5, lambda: pause(job))
    worker = threading.Thread(target=run_job, args=(job,))
    worker.start()
    until(lambda: read_status(job).what == PAUSED)
    assert read_export(job).paused
    assert names_in(tmp_path / "out") != ["film.mp4"]
    assert (count[0], read_status(job).done) == (5, 5)
    go_on(job)
    worker.join(30)
    assert (read_status(job).state, count[0]) == ("finished", 20)
    assert probe(tmp_path / "out" / "film.mp4").frames == 20


def test_exports_take_turns_in_the_order_of_asking(ask, tmp_path, monkeypatch):
    jobs = [ask(f"{number}.mp4") for number in range(3)]
    hold, inside, most, order = threading.Event(), [], [0], []
    real = export_video_module.export_video

    def slow(engine, track, stage, out, *rest, **more):
        inside.append(out)
        most[0] = max(most[0], len(inside))
        order.append(out.name)
        hold.wait(20)
        done = real(engine, track, stage, out, *rest, **more)
        inside.remove(out)
        return done

    monkeypatch.setattr(export_video_module, "export_video", slow)
    workers = [threading.Thread(target=run_job, args=(job,)) for job in jobs]
    workers[0].start()
    until(lambda: order == ["0.mp4"])
    for worker in (workers[2], workers[1]):  # asked for last, begun first
        worker.start()
    until(lambda: all(read_status(job).what == WAITING for job in jobs[1:]))
    hold.set()
    for worker in workers:
        worker.join(30)
    assert most[0] == 1
    assert order == ["0.mp4", "1.mp4", "2.mp4"]
    assert [read_status(job).state for job in jobs] == ["finished"] * 3


def test_a_waiting_export_can_be_given_up(ask, tmp_path, monkeypatch):
    first, second = ask("1.mp4"), ask("2.mp4")
    at_frame(monkeypatch, 3, lambda: pause(first))
    workers = [threading.Thread(target=run_job, args=(job,)) for job in (first, second)]
    workers[0].start()
    until(lambda: read_status(first).what == PAUSED)
    workers[1].start()
    until(lambda: read_status(second).what == WAITING)
    request(second, "cancel")
    workers[1].join(30)
    assert read_status(second).state == "cancelled"
    go_on(first)
    workers[0].join(30)
    assert names_in(tmp_path / "out") == ["1.mp4"]


def test_its_own_file_may_be_written_again_after_a_kill(ask, someone, tmp_path, monkeypatch):
    job = ask()
    with monkeypatch.context() as patch:
        patch.setattr(export_module, "_size", lambda _: (_ for _ in ()).throw(RuntimeError("killed")))
        run_job(job)
    assert names_in(tmp_path / "out") == ["film.mp4"]
    assert read_export(job).receipt is None
    assert run_job(job) == FINISHED
    assert written(job) == 20


def test_forgetting_clears_what_a_killed_worker_left_but_not_what_was_written(ask, someone, tmp_path):
    job, done = ask("killed.mp4"), ask("done.mp4")
    run_job(done)
    aside_of(tmp_path / "out" / "killed.mp4", "partial").write_bytes(b"half")
    for each in (job, done):
        forget(each)
    assert names_in(tmp_path / "out") == ["done.mp4"]
    assert exports(someone.store) == ()


def test_a_damaged_export_does_not_hide_the_others(ask, someone):
    first, second = ask("1.mp4"), ask("2.mp4")
    (first / "job.json").write_text("{")
    assert [export.job for export in exports(someone.store)] == [second]
    (second / "track.npz").write_bytes(b"")
    assert run_job(second) == PROBLEM
    assert "damaged" in read_status(second).message
