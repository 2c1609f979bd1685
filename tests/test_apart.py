"""A module run in a process of its own: its answer, its progress, its end."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from pipelines.apart import Answer, result_of, run_apart
from pipelines.sample_apart import main
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes a module that a process can run."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def make(source: str) -> str:
        (tmp_path / "run_me.py").write_text(source, encoding="utf-8")
        return "run_me"

    return make


def test_its_words_its_answer_and_its_progress(module, tmp_path: Path) -> None:
    name = module(
        "import sys, os, time\n"
        "from pipelines.apart import tell\n"
        "print('hear', sys.argv[1])\n"
        "tell(3, 7, 'Drawing é')\n"
        "while not os.path.exists(sys.argv[2]): time.sleep(0.01)\n"
        "print('été')\n"
    )
    told, flag = [], tmp_path / "seen"

    def progress(done: int, total: int | None, what: str) -> None:
        told.append((done, total, what))
        if done:
            flag.touch()  # it goes on only when its report has been heard while it ran

    answer = run_apart(name, ["me", str(flag)], progress)
    assert answer == Answer(0, "hear me\nété", "")
    assert (3, 7, "Drawing é") in told


def test_it_ends_when_nobody_waits_any_more(module) -> None:
    name = module("import time\nprint('on', flush=True)\ntime.sleep(60)\n")

    def stop(done: int, total: int | None, what: str) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        run_apart(name, [], stop)
    assert not [c for c in psutil.Process().children() if "run_me" in " ".join(c.cmdline())]


def test_problems_and_defects_are_told_apart() -> None:
    assert result_of(Answer(0, "yes", "a warning"), "It") == "yes"
    with pytest.raises(Problem, match=r"^The disk is full\.$"):
        result_of(Answer(2, "", "noise\nThe disk is full.\n"), "It")
    with pytest.raises(RuntimeError, match="It ended with status 1"):
        result_of(Answer(1, "", "Traceback"), "It")


def test_a_sample_that_cannot_be_made_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "s.mp4"), "--size", "63"]) == 2
    assert "choose an even size" in capsys.readouterr().err
