"""Ctrl-C in a training on people: answered at once, heard by the training alone, never taken for a fault."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from pipelines.cli.interrupts import ears, listening
from pipelines.cli.training_people import STOPPING
from pipelines.people_loader import PeopleLoader, deaf_children
from pipelines.people_training import train_on_people
from studio.domain.progress import Interrupted
from tests.people.little_training import little
from tests.people.moving_corpus import SIDE
from tests.people.test_people_loader import always_killed

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one group there"),
]
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "import sys; from pipelines import cli; sys.exit(cli.main(sys.argv[1:]))"


def test_it_is_said_while_python_itself_still_hears_nothing():
    happened: list[str] = []
    with listening() as own, own.patiently(), own.at_once(lambda: happened.append("said")):
        inner = signal.getsignal(signal.SIGINT)
        assert callable(inner)

        def handle(number, frame) -> None:
            happened.append("heard")
            inner(number, frame)

        signal.signal(signal.SIGINT, handle)
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        while "heard" not in happened:  # one call into C after the other, as steps of a training are
            hashlib.pbkdf2_hmac("sha256", b"one", b"step", 1_500_000)
        assert happened == ["said", "heard"]
        own.asked.clear()


def test_nothing_is_said_afterwards_or_of_other_signals():
    said: list[str] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: None)
    try:
        with listening(), ears().patiently(), ears().at_once(lambda: said.append("said")):
            os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(0.2)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert not said
    assert signal.set_wakeup_fd(-1) == -1


def test_helpers_are_deaf_from_their_first_moment():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with deaf_children():
        # Before a single line of it has run, which is when an initialiser comes too late.
        child = subprocess.Popen([sys.executable, "-c", "print('whole')"], stdout=subprocess.PIPE, text=True)
        child.send_signal(signal.SIGINT)
    assert child.communicate(timeout=60)[0] == "whole\n"
    assert child.returncode == 0
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_a_helper_that_dies_when_a_stop_was_asked_for_is_no_fault(corpus):
    said: list[str] = []
    name = corpus.clips[0].name
    with PeopleLoader(corpus.clips, SIDE, 1e9, 1, said.append, _killed_there, lambda: True) as loader:
        got = loader.get([(name, 1), (name, 2)])
    assert (got == [[[[1]]], [[[2]]]]).all()
    assert not said


def _killed_there(clip, frame: int, side: int) -> np.ndarray:
    """Decoding that its own process does not survive, and the training's does."""
    import multiprocessing

    if multiprocessing.parent_process() is not None:
        return always_killed(clip, frame, side)
    return np.full((side, side, 4), frame, np.uint8)


def test_a_stop_is_heard_before_the_first_step(corpus, tmp_path):
    looked = 0

    def asked(done: int, total: int | None, what: str) -> None:
        nonlocal looked
        looked += 1
        if looked == 3:
            raise Interrupted

    def never(people):
        raise AssertionError("nobody was to be taught")

    with pytest.raises(Interrupted):
        train_on_people(never, corpus.clips, little(), tmp_path, asked)


@pytest.mark.slow
def test_the_command_answers_at_once_and_ends_with_one_sentence(made: Path, home: Path):
    words = ["train-people", str(made), "--size", "tiny", "--side", "64", "--home", str(home)]
    words += ["--training.loop.batch", "4", "--training.validation-identities", "1"]
    words += ["--training.frames.workers", "1", "--machines.device", "cpu"]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line.strip())
            if line.startswith("Training on people: "):  # it has begun, its helpers with it
                break
        os.killpg(process.pid, signal.SIGINT)
        rest = [line.strip() for line in process.stderr]
        assert process.wait(60) == 130, lines + rest
    finally:
        process.kill()
        process.wait()
    said = [line for line in rest if not line.startswith("Training on people")]
    assert said == [
        STOPPING,
        "Stopped. What was finished is kept: the same command continues from there.",
    ]
    assert not any("Traceback" in line or "memory runs out" in line for line in lines + rest)
