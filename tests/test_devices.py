"""Device choice, cores, and running out of memory said in words."""

from __future__ import annotations

import os

import psutil
import pytest

from studio import devices
from studio.devices import Device, choose_device, explaining_memory, usable_cores
from studio.domain.problem import Problem

CUDA = Device("cuda", "A card", 8 * 10**9, 7 * 10**9)


def test_auto_takes_the_fastest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "devices", lambda: (CUDA, devices.cpu()))
    assert choose_device() == CUDA
    assert choose_device("cuda") == CUDA
    assert choose_device("cpu").kind == "cpu"


def test_a_wanted_device_that_is_not_here_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "devices", lambda: (devices.cpu(),))
    with pytest.raises(Problem, match="There is no cuda device on this machine: choose one of cpu, or auto"):
        choose_device("cuda")


def test_the_processor_is_always_there_and_last() -> None:
    found = devices.devices()
    assert found[-1].kind == "cpu"
    assert found[-1].memory == psutil.virtual_memory().total
    assert 0 < found[-1].free <= found[-1].memory


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="affinity is Linux's")
def test_cores_follow_affinity() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, before)
    assert 1 <= usable_cores() <= len(before)


def test_threads_are_set_where_they_count(monkeypatch: pytest.MonkeyPatch) -> None:
    import cv2
    import torch

    before = torch.get_num_threads()
    try:
        assert devices.use_threads(3) == 3
        assert torch.get_num_threads() == 3
        assert cv2.getNumThreads() == 3
        monkeypatch.setenv("OMP_NUM_THREADS", "1")  # whoever shares the machine out is heeded
        assert devices.use_threads() == 1
        assert torch.get_num_threads() == 1
        for unlimited in ("1000", "0", "4,2", ""):
            monkeypatch.setenv("OMP_NUM_THREADS", unlimited)
            assert devices.use_threads() == usable_cores()
    finally:
        devices.use_threads(before)


@pytest.mark.parametrize(
    ("error", "whose"),
    [
        (MemoryError(), "the machine's memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "the graphics card's memory"),
        (RuntimeError("MPS backend out of memory (MPS allocated: 5 GB)"), "the Apple GPU's memory"),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: not enough memory"),
            "the machine's memory",
        ),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
            "the machine's memory",
        ),
    ],
)
def test_running_out_of_memory_is_said_in_words(error: Exception, whose: str) -> None:
    with pytest.raises(Problem) as caught, explaining_memory("Training the mapper"):
        raise error
    assert str(caught.value).startswith(f"Training the mapper ran out of {whose}: ")
    assert caught.value.__cause__ is error


def test_torch_really_running_out_is_recognised() -> None:
    import torch

    sentence = "ran out of the machine's memory: buy more"
    with pytest.raises(Problem, match=sentence), explaining_memory("Rendering", "buy more"):
        torch.empty(2**50, dtype=torch.uint8)


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="shapes differ"), explaining_memory("Rendering"):
        raise RuntimeError("shapes differ")


def test_the_windows_choice_reaches_processes_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(devices.DEVICE_VARIABLE, "cpu")
    monkeypatch.setattr(devices, "devices", lambda: pytest.fail("nothing has to be looked up"))
    assert devices.choose_device().kind == "cpu"
    monkeypatch.setenv(devices.DEVICE_VARIABLE, "tpu")
    monkeypatch.setattr(devices, "devices", lambda: (devices.cpu(),))
    with pytest.raises(Problem, match="no tpu device"):
        devices.choose_device()
