"""A real live worker in a process of its own, asked, killed, switched and orphaned."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from studio.domain.avatar import Avatar
from studio.domain.controls import ControlState
from studio.domain.rendering import RenderRequest
from studio.live import LiveWorker
from tests.live.conftest import Watched
from tests.live.small_avatars import drawn_directly, turned

ROOT = Path(__file__).resolve().parents[2]


def opened(live: Watched, avatar: Avatar) -> None:
    live.open(avatar)
    live.wait(lambda: live.newest() is not None or bool(live.problem))
    assert live.problem == ""


def test_frames_are_the_engines_own_bit_for_bit(running: Watched, avatars: tuple[Avatar, Avatar]) -> None:
    assert running.sheet is not None
    neutral = RenderRequest(running.sheet.neutral(), avatars[0].stage)
    for request in (neutral, turned(9.0), replace(turned(-7.0), quality="draft")):
        frame = running.frame(running.ask(request))
        image, alpha = drawn_directly(avatars[0], request)
        assert frame.request == request
        assert frame.avatar == avatars[0]
        assert np.array_equal(frame.image, image)
        assert alpha is not None
        assert frame.alpha is not None
        assert np.array_equal(frame.alpha, alpha)
        assert frame.asked < frame.arrived


def test_what_is_asked_while_it_opens_is_shown_first(live: Watched, avatars: tuple[Avatar, Avatar]) -> None:
    live.open(avatars[0])
    live.ask(turned(3.0))
    ticket = live.ask(turned(8.0))
    live.wait(lambda: live.newest() is not None or not live.alive)
    first = live.newest()
    assert first is not None
    assert first.ticket == ticket
    assert first.request == turned(8.0)


def test_the_newest_request_wins_and_an_equal_one_is_no_new_work(
    running: Watched, avatars: tuple[Avatar, Avatar]
) -> None:
    assert running.pid is not None
    worker = psutil.Process(running.pid)
    worker.suspend()  # it cannot draw; nor may asking wait for it
    tickets = [running.ask(turned(0.01 * k)) for k in range(400)]
    again = running.ask(turned(0.01 * 399))
    worker.resume()
    assert again == tickets[-1]
    seen = set()

    def newest_is_there() -> bool:
        frame = running.newest()
        assert frame is not None
        seen.add(frame.ticket)
        return frame.ticket == tickets[-1]

    running.wait(newest_is_there)
    assert len(seen) < 40  # nearly all were dropped
    last = running.newest()
    assert last is not None
    assert last is running.newest()
    assert last.request == turned(3.99)


def test_a_frame_that_was_handed_out_is_never_drawn_over(
    running: Watched, avatars: tuple[Avatar, Avatar]
) -> None:
    kept = [running.frame(running.ask(turned(float(yaw)))) for yaw in range(-8, 9)]
    for frame in kept[::4]:
        assert np.array_equal(frame.image, drawn_directly(avatars[0], frame.request)[0])


def test_another_avatar_takes_over_when_it_has_drawn(live: Watched, avatars: tuple[Avatar, Avatar]) -> None:
    opened(live, avatars[0])
    before = live.pid
    live.open(avatars[1], turned(4.0))
    assert live.avatar == avatars[0]
    assert live.coming == avatars[1]
    during = live.frame(live.ask(turned(2.0)))
    live.wait(lambda: live.avatar == avatars[1])
    assert during.avatar == avatars[0]
    after = live.newest()
    assert after is not None
    assert after.avatar == avatars[1]
    assert np.array_equal(after.image, drawn_directly(avatars[1], turned(4.0))[0])
    assert live.coming is None
    assert before is not None
    live.wait(lambda: not psutil.pid_exists(before))


def test_what_cannot_be_opened_is_told_and_the_present_one_stays(
    running: Watched, avatars: tuple[Avatar, Avatar], tmp_path: Path
) -> None:
    running.open(replace(avatars[1], folder=tmp_path / "nowhere"))
    running.wait(lambda: running.problem != "")
    assert running.problem.endswith(".")
    assert "Traceback" not in running.problem
    assert running.avatar == avatars[0]
    assert running.coming is None
    assert running.frame(running.ask(turned(5.0))).avatar == avatars[0]


def test_an_unknown_engine_is_a_sentence(live: Watched, avatars: tuple[Avatar, Avatar]) -> None:
    live.open(replace(avatars[0], engine="instatn"))
    live.wait(lambda: live.problem != "")
    assert "instant" in live.problem
    assert live.newest() is None
    live.wait(lambda: not live.alive)


def test_a_killed_worker_is_noticed_and_starts_again_where_it_was(
    live: Watched, avatars: tuple[Avatar, Avatar]
) -> None:
    opened(live, avatars[0])
    shown = live.frame(live.ask(turned(6.0)))
    assert live.pid is not None
    os.kill(live.pid, signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
    live.wait(lambda: not live.alive)
    assert "start it again" in live.problem
    assert live.newest() is shown  # the window still has something to show
    live.ask(turned(7.0))
    live.restart()
    assert live.alive
    live.ask(turned(-7.0))  # while it is being opened
    live.wait(lambda: (frame := live.newest()) is not None and frame.request == turned(-7.0))
    assert live.takeovers == 2
    assert live.problem == ""


def test_controls_that_an_avatar_does_not_know_are_left_out(
    running: Watched, avatars: tuple[Avatar, Avatar]
) -> None:
    foreign = ControlState(("yaw", "horns"), np.array([6.0, 1.0], np.float32))
    frame = running.frame(running.ask(RenderRequest(foreign, avatars[0].stage)))
    assert running.sheet is not None
    meant = RenderRequest(running.sheet.state({"yaw": 6.0}), avatars[0].stage)
    assert np.array_equal(frame.image, drawn_directly(avatars[0], meant)[0])


def test_a_picture_that_does_not_fit_is_refused(running: Watched, avatars: tuple[Avatar, Avatar]) -> None:
    request = turned(0.0)
    with pytest.raises(ValueError, match="pixels"):
        running.ask(replace(request, view=replace(request.view, width=2000, height=2000)))


def test_handles_come_in_the_sheets_columns(running: Watched, avatars: tuple[Avatar, Avatar]) -> None:
    from studio.head import builtin_head

    assert running.sheet is not None
    found = {handle.control.name: handle for handle in running.handles}
    assert "smile" in found
    assert not found.keys() & set(running.sheet.names)
    opening = builtin_head().handles["mouth_open"]
    change = dict(zip(running.sheet.names, found["mouth_open"].change))
    jaw = [change["jaw_open"], change["jaw_twist"], change["jaw_side"]]
    assert np.allclose(jaw, np.rad2deg(opening.jaw), atol=1e-4)
    assert change["expression_03"] == pytest.approx(float(opening.expression[3]))
    assert change["yaw"] == 0.0


ORPHANING = """
import pickle, sys, time
from studio.live import LiveWorker
avatar = pickle.loads(bytes.fromhex(sys.argv[1]))
live = LiveWorker()
live.open(avatar)
while live.newest() is None:
    time.sleep(0.01)
print(live.pid, flush=True)
time.sleep(600)
"""


def test_a_worker_ends_with_its_killed_window(avatars: tuple[Avatar, Avatar]) -> None:
    window = subprocess.Popen(
        [sys.executable, "-c", ORPHANING, pickle.dumps(avatars[0]).hex()], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert window.stdout is not None
    worker = psutil.Process(int(window.stdout.readline()))
    assert worker.is_running()
    window.kill()
    window.wait()
    window.stdout.close()
    psutil.wait_procs([worker], timeout=30)
    assert not worker.is_running()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="Linux tells what memory is called")
def test_shared_memory_has_no_name_that_could_stay_behind(running: Watched) -> None:
    maps = Path(f"/proc/{running.pid}/maps").read_text(encoding="utf-8").splitlines()
    shared = [line for line in maps if "avatar-studio-live" in line]
    assert shared
    assert all(line.endswith("(deleted)") for line in shared)


def test_the_window_loads_nothing_heavy() -> None:
    program = (
        "import sys, studio.live\n"
        "print([m for m in ('torch', 'numba', 'scipy', 'cv2', 'mediapipe') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_closing_twice_and_asking_nobody_is_harmless() -> None:
    worker = LiveWorker()
    assert worker.ask(turned(1.0)) == 0
    assert worker.newest() is None
    worker.restart()
    worker.close()
    worker.close()
    assert not worker.alive
