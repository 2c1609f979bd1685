"""Trainings started as people start them, by the program itself, by torchrun, by srun; stopped and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from pipelines.cli import door
from pipelines.cli.screen import Screen
from pipelines.training import launch as launching
from pipelines.training.elsewhere import StoppedElsewhere
from pipelines.training.first import is_first
from pipelines.training.launch import launch, one_process
from pipelines.training.settings import MachineSettings
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("launched.py")
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
STOPPED = "Stopped. What was finished is kept: the same command continues from there."


def test_one_process_is_on_the_device_that_it_is_told(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.setenv("LOCAL_RANK", "3")
    fabric = one_process(torch.device("cpu"), "bfloat16")
    assert (fabric.world_size, fabric.global_rank, fabric.device) == (1, 0, torch.device("cpu"))
    with fabric.autocast():
        assert torch.is_autocast_enabled("cpu")
    with one_process(torch.device("cpu")).autocast():
        assert not torch.is_autocast_enabled("cpu")
    # Torch would load a library at every question for a card.
    assert "PYTORCH_NVML_BASED_CUDA_CHECK" not in os.environ


def test_what_the_machine_does_not_have_is_a_problem(monkeypatch):
    with pytest.raises(Problem, match=r"There is no cuda device|3 processes"):
        launch(MachineSettings(device="cuda", processes=3))
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "LOCAL_WORLD_SIZE": "2", "GROUP_WORLD_SIZE": "3"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Problem, match="2 processes have been started on this machine and 5 are asked for"):
        launch(MachineSettings(device="cpu", processes=5))


def test_processes_of_torchrun_and_srun_are_counted(monkeypatch):
    assert launching._started_from_outside() is None
    slurm = {
        "SLURM_NTASKS": "16",
        "SLURM_NNODES": "2",
        "SLURM_NTASKS_PER_NODE": "8",
        "SLURM_JOB_NAME": "people",
    }
    for name, value in slurm.items():
        monkeypatch.setenv(name, value)
    assert launching._started_from_outside() == (8, 2)
    monkeypatch.setenv("SLURM_JOB_NAME", "bash")
    assert launching._started_from_outside() is None
    # torchrun counts, also inside of SLURM.
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    monkeypatch.setenv("GROUP_WORLD_SIZE", "3")
    assert launching._started_from_outside() == (4, 3)


@pytest.mark.parametrize(
    ("variables", "first"),
    [
        ({}, True),
        ({"LOCAL_RANK": "1"}, False),
        ({"RANK": "8", "LOCAL_RANK": "0"}, False),
        ({"RANK": "0", "LOCAL_RANK": "0", "SLURM_PROCID": "3"}, True),
        ({"SLURM_PROCID": "3"}, False),
    ],
)
def test_the_first_process_is_known_by_what_started_it(monkeypatch, variables, first):
    for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert is_first() is first


def _interrupted(words):
    raise Interrupted


def _stopped_elsewhere(words):
    raise StoppedElsewhere


@pytest.mark.parametrize(("rank", "said"), [("0", STOPPED + "\n"), ("1", "")])
def test_of_several_processes_one_says_that_all_were_stopped(monkeypatch, capfd, rank, said):
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setitem(door.COMMANDS, "tiny", (f"{__name__}:_interrupted", ""))
    monkeypatch.setattr("importlib.import_module", lambda name: sys.modules[__name__])
    assert door.run(["tiny"]) == door.INTERRUPTED
    assert capfd.readouterr().err == said


def test_a_problem_that_another_process_tells_is_told_once(monkeypatch, capfd):
    monkeypatch.setitem(door.COMMANDS, "tiny", (f"{__name__}:_stopped_elsewhere", ""))
    monkeypatch.setattr("importlib.import_module", lambda name: sys.modules[__name__])
    assert door.run(["tiny"]) == door.PROBLEM
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("rank", "shown"), [("0", True), ("1", False)])
def test_the_first_process_alone_shows_how_far_it_is(monkeypatch, capfd, rank, shown):
    monkeypatch.setenv("RANK", rank)
    with Screen().working() as progress:
        progress(1, 2, "learning products")
    assert ("Learning products" in capfd.readouterr().err) is shown


def _start(folder: Path, processes: int, seconds: float, before: list[str] | None = None, more=None):
    folder.mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **(more or {})}
    return subprocess.Popen(
        [*(before or [sys.executable]), str(PROGRAM), str(folder), str(processes), str(seconds)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _begun(folder: Path, process: subprocess.Popen[str]) -> list[int]:
    """The processes' numbers, once a checkpoint is there."""
    end = time.monotonic() + 900
    while not list(folder.glob("train/checkpoint-*")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)
    return [int((folder / f"pid-{rank}-2").read_text()) for rank in (0, 1)]


def _ended(process: subprocess.Popen[str], numbers: list[int]) -> tuple[int, str, str]:
    """Exit status and words; nobody may be left."""
    said, notes = process.communicate(timeout=900)
    end = time.monotonic() + 60
    while any(_lives(number) for number in numbers):
        assert time.monotonic() < end, "a process is left"
        time.sleep(0.1)
    return process.returncode, said, notes


def _lives(number: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def _same(one, other):
    assert [step for step, _ in one] == [step for step, _ in other]
    for (_, figures), (_, others) in zip(one, other):
        assert others == pytest.approx(figures, rel=1e-5)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The curve of one process."""
    process = _start(tmp_path_factory.mktemp("one"), 1, 0.0)
    said, notes = process.communicate(timeout=900)
    assert process.returncode == 0, notes
    return json.loads(said)


WAYS = {"itself": (2, None), "torchrun": (0, TORCHRUN)}


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes as Linux shows them")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_as_people_do_it_it_continues(expected, tmp_path, way, number):
    processes, before = WAYS[way]
    process = _start(tmp_path / "run", processes, 0.3, before)
    numbers = _begun(tmp_path / "run", process)
    process.send_signal(number)
    status, said, notes = _ended(process, numbers)
    assert status != 0
    assert said == ""
    assert notes.count(STOPPED) == 1, notes
    process = _start(tmp_path / "run", processes, 0.0, before)
    said, notes = process.communicate(timeout=900)
    assert process.returncode == 0, notes
    _same(expected, json.loads(said))
    assert len(list((tmp_path / "run" / "board").iterdir())) == 2


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes as Linux shows them")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("rank", [0, 1])
def test_one_killed_ends_the_other_and_another_number_continues(expected, tmp_path, way, rank):
    processes, before = WAYS[way]
    process = _start(tmp_path / "run", processes, 0.3, before)
    numbers = _begun(tmp_path / "run", process)
    os.kill(numbers[rank], signal.SIGKILL)
    status, said, notes = _ended(process, numbers)
    assert status != 0
    assert said == ""
    assert notes.count("ended because another of its 2 processes did") == 1, notes
    # torchrun has words of its own.
    assert way == "torchrun" or "Traceback" not in notes
    process = _start(tmp_path / "run", 1, 0.0)
    said, notes = process.communicate(timeout=900)
    assert process.returncode == 0, notes
    _same(expected, json.loads(said))


@pytest.mark.slow
@pytest.mark.parametrize("way", ["machines", "slurm"])
def test_several_machines_come_to_the_same_curve(expected, tmp_path, way):
    """Two processes that are told they are on machines of their own."""
    port = str(20_000 + os.getpid() % 20_000)
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    running = []
    for rank in ("0", "1"):
        torchrun = {
            "TORCHELASTIC_RUN_ID": "x",
            "RANK": rank,
            "GROUP_RANK": rank,
            "LOCAL_RANK": "0",
            "WORLD_SIZE": "2",
            "LOCAL_WORLD_SIZE": "1",
            "GROUP_WORLD_SIZE": "2",
        }
        slurm = {
            "SLURM_JOB_NAME": "people",
            "SLURM_NTASKS": "2",
            "SLURM_NNODES": "2",
            "SLURM_NTASKS_PER_NODE": "1",
            "SLURM_PROCID": rank,
            "SLURM_NODEID": rank,
            "SLURM_LOCALID": "0",
        }
        variables = torchrun if way == "machines" else slurm
        running.append(_start(tmp_path / "run", 0, 0.0, more={**shared, **variables}))
    answers = [process.communicate(timeout=900) for process in running]
    assert [process.returncode for process in running] == [0, 0], answers
    _same(expected, json.loads(answers[0][0]))
    assert answers[1] == ("", "")
