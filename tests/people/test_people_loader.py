"""Pictures decoded ahead: they are right, what was killed is replaced, what is damaged is told from that."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from pipelines import people_loader
from pipelines.people_loader import MOST_DEATHS, PeopleLoader, decoded
from studio.corpus.corpus import SHARDS, Corpus
from studio.corpus.shards import Unreadable
from studio.domain.problem import Problem
from tests.people.moving_corpus import SIDE

pytestmark = pytest.mark.timeout(120)


def killed_once(clip, frame: int, side: int) -> np.ndarray:
    """Decoding in a process that the machine kills on its way, the first time that it comes here."""
    mark = Path(os.environ["KILLED_MARK"])
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return decoded(clip, frame, side)


def always_killed(clip, frame: int, side: int) -> np.ndarray:
    """Decoding on a machine that has no memory left at all."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


@pytest.mark.parametrize("workers", [0, 1])
def test_it_gives_what_the_corpus_holds(corpus, workers):
    clips = corpus.clips
    with PeopleLoader(clips, SIDE // 2, 1e9, workers, print) as loader:
        places = [(clips[2].name, 3), (clips[0].name, 1), (clips[2].name, 3)]
        loader.ahead(places)
        got = loader.get(places)
    assert got.shape == (3, SIDE // 2, SIDE // 2, 4)
    assert np.array_equal(got[0, ..., :3], clips[2].picture(3, SIDE // 2))
    assert np.array_equal(got[1, ..., :3], clips[0].picture(1, SIDE // 2))
    assert np.array_equal(got[0], got[2])
    assert (got[..., 3] == 255).all()


def test_what_is_kept_is_not_read_again(corpus):
    asked: list[tuple[str, int]] = []

    def counting(clip, frame: int, side: int) -> np.ndarray:
        asked.append((clip.name, frame))
        return decoded(clip, frame, side)

    name = corpus.clips[0].name
    room = 2 * SIDE * SIDE * 4
    loader = PeopleLoader(corpus.clips, SIDE, room, 0, print, counting)
    loader.get([(name, 0), (name, 1), (name, 0)])
    assert asked == [(name, 0), (name, 1)]
    loader.get([(name, 2)])  # no room for three: the one that was not asked for longest goes
    loader.get([(name, 0), (name, 1)])
    assert asked == [(name, 0), (name, 1), (name, 2), (name, 1)]


def test_a_killed_process_is_replaced_and_said(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("KILLED_MARK", str(tmp_path / "mark"))
    said: list[str] = []
    clips = corpus.clips
    with PeopleLoader(clips, SIDE, 1e9, 1, said.append, killed_once) as loader:
        places = [(clip.name, 4) for clip in clips]
        loader.ahead(places)
        got = loader.get(places)
    assert np.array_equal(got[-1, ..., :3], clips[-1].picture(4, SIDE))
    assert len(said) == 1
    assert "killed" in said[0]


def test_processes_that_keep_being_killed_end_it_in_one_sentence(corpus):
    said: list[str] = []
    with (
        PeopleLoader(corpus.clips, SIDE, 1e9, 1, said.append, always_killed) as loader,
        pytest.raises(Problem, match="keep being killed"),
    ):
        loader.get([(corpus.clips[0].name, 0)])
    assert len(said) == MOST_DEATHS


@pytest.mark.parametrize("workers", [0, 1])
def test_a_missing_shard_is_a_clip_that_cannot_be_read(corpus, tmp_path, workers):
    import shutil

    copy = shutil.copytree(corpus.folder, tmp_path / "copy")
    clips = Corpus.open(copy).clips
    (copy / SHARDS / clips[1].shard).unlink()
    said: list[str] = []
    with PeopleLoader(clips, SIDE, 1e9, workers, said.append) as loader:
        loader.ahead([(clips[1].name, 0), (clips[0].name, 0)])
        with pytest.raises(Unreadable):
            loader.get([(clips[1].name, 0)])
        assert loader.get([(clips[0].name, 0)]).shape == (1, SIDE, SIDE, 4)
    assert not said


def test_no_process_is_left_behind(corpus):
    loader = PeopleLoader(corpus.clips, SIDE, 1e9, 1, print)
    loader.get([(corpus.clips[0].name, 0)])
    assert loader._pool is not None
    processes = list(loader._pool._processes.values())
    loader.close()
    for _ in range(100):
        if not any(process.is_alive() for process in processes):
            break
        time.sleep(0.05)
    assert processes
    assert not any(process.is_alive() for process in processes)


def test_reading_needs_no_torch():
    import subprocess
    import sys

    code = "import sys, pipelines.people_loader; sys.exit('torch' in sys.modules)"
    root = Path(people_loader.__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
