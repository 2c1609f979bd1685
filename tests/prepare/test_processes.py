from __future__ import annotations

import os
import signal
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from pipelines.many_processes import each_in_a_process
from studio.domain.progress import Interrupted

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills by signals")


def _work(task, tell):
    word, place = task
    for step in range(3):
        tell(step / 3)
    if word == "wrong":
        raise KeyError("of ours")
    if word == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "killed once" and not Path(place).exists():
        Path(place).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "slow":
        Path(place).write_text(str(os.getpid()))
        for step in range(600):
            time.sleep(0.1)
            tell(step / 600)
    return word.upper()


def test_answers_are_told_apart_and_the_rest_goes_on(tmp_path):
    words = ["one", "wrong", "killed", "two", "killed once", "three"]
    tasks = [(word, str(tmp_path / "mark")) for word in words]
    answers = {answer.task[0]: answer for answer in each_in_a_process(_work, tasks, 2, lambda shares: None)}
    assert {word: answer.state for word, answer in answers.items()} == {
        "one": "done",
        "wrong": "broke",
        "killed": "killed",
        "two": "done",
        "killed once": "done",
        "three": "done",
    }
    assert answers["three"].result == "THREE"
    assert "KeyError: 'of ours'" in answers["wrong"].report


def test_stopping_ends_the_processes(tmp_path):
    mark = tmp_path / "mark"
    shares = []

    def report(now):
        shares.append(dict(now))
        if mark.exists() and mark.read_text() and any(share > 0 for share in now.values()):
            raise Interrupted

    with pytest.raises(Interrupted):
        list(each_in_a_process(_work, [("slow", str(mark))], 1, report))
    assert not _lives(int(mark.read_text()))
    assert 0 in shares[-1]


def test_no_more_answers_wanted_ends_the_processes(tmp_path):
    mark = tmp_path / "mark"
    tasks = [("one", ""), ("slow", str(mark))]
    with closing(each_in_a_process(_work, tasks, 2, lambda shares: None)) as answers:
        assert next(answers).result == "ONE"
        while not (mark.exists() and mark.read_text()):
            time.sleep(0.05)
    assert not _lives(int(mark.read_text()))


def _lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_nothing_to_do_starts_nothing():
    assert list(each_in_a_process(_work, [], 4, lambda shares: None)) == []
