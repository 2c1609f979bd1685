"""What to compute on: device choice, memory, threads, and running out of memory said in words."""

from __future__ import annotations

import contextlib
import os
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import psutil

from studio.domain.problem import Problem

DeviceKind = Literal["cuda", "mps", "cpu"]
DeviceChoice = Literal["auto", "cuda", "mps", "cpu"]
GIGABYTE = 1_000_000_000
DEVICE_VARIABLE = "AVATAR_STUDIO_DEVICE"
"""Environment variable that says what ``auto`` means, so that the window's choice reaches its processes."""


@dataclass(frozen=True)
class Device:
    """Something that torch computes on."""

    kind: DeviceKind
    """Torch's word for it."""
    title: str
    """What a person reads, e.g. the card's name."""
    memory: int
    """Bytes it has in all."""
    free: int
    """Bytes not in use by anybody when it was looked up."""


def devices() -> tuple[Device, ...]:
    """What this machine has, the fastest first; the CPU is always there and last."""
    import torch

    found = []
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        found.append(Device("cuda", torch.cuda.get_device_name(), total, free))
    memory = psutil.virtual_memory()
    if torch.backends.mps.is_available():
        found.append(Device("mps", "Apple GPU", memory.total, memory.available))  # memory is shared
    return (*found, cpu())


def cpu() -> Device:
    """The processor; needs no torch."""
    memory = psutil.virtual_memory()
    title = f"{platform.processor() or platform.machine()}, {usable_cores()} cores"
    return Device("cpu", title, memory.total, memory.available)


def choose_device(wanted: DeviceChoice = "auto") -> Device:
    """The wanted device, else the one that AVATAR_STUDIO_DEVICE names, else the fastest.

    Raises Problem when the wanted one is not here.
    """
    if wanted == "auto":
        wanted = cast("DeviceChoice", os.environ.get(DEVICE_VARIABLE, "").strip() or "auto")
    if wanted == "cpu":
        return cpu()
    found = devices()
    if wanted == "auto":
        return found[0]
    for device in found:
        if device.kind == wanted:
            return device
    kinds = ", ".join(device.kind for device in found)
    raise Problem(f"There is no {wanted} device on this machine: choose one of {kinds}, or auto.")


def usable_cores() -> int:
    """Cores that this process may use: the machine's, less affinity and container limits; at least 1."""
    process = psutil.Process()
    cores = len(process.cpu_affinity() or ()) if hasattr(process, "cpu_affinity") else 0
    cores = cores or os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        cores = min(cores, max(1, int(quota) // int(period)))
    except (OSError, ValueError):  # not Linux, or no limit ("max")
        pass
    return cores


def use_threads(count: int | None = None) -> int:
    """Let torch and OpenCV use ``count`` threads. Returns the count.

    None: one a usable core, but no more than OMP_NUM_THREADS asks for. Who sets it shares the machine out,
    and threads without a core of their own make small networks ten times slower.
    """
    import cv2
    import torch

    if count is None:
        asked = os.environ.get("OMP_NUM_THREADS", "")
        count = min([usable_cores(), *([int(asked)] if asked.isdecimal() and int(asked) else [])])
    torch.set_num_threads(count)
    cv2.setNumThreads(count)
    return count


@contextlib.contextmanager
def explaining_memory(what: str, advice: str = "") -> Iterator[None]:
    """Turn running out of memory into a Problem; everything else passes.

    Args:
        what: the work, as the start of a sentence, e.g. ``Training the mapper``.
        advice: what to do, as the end of a sentence; by default what always helps.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        problem = memory_problem(error, what, advice)
        if problem is None:
            raise
        raise problem from error


def memory_problem(error: BaseException, what: str, advice: str = "") -> Problem | None:
    """The sentence for an error that says memory is used up, or None for other errors.

    Args:
        error: what was raised.
        what, advice: as :func:`explaining_memory`.
    """
    where = _memory_of(error)
    if where is None:
        return None
    advice = advice or "choose a smaller resolution or preset, or close other programs"
    return Problem(f"{what} ran out of {where}: {advice}.")


def _memory_of(error: BaseException) -> str | None:
    """Whose memory an exception says is used up; None when it says something else.

    Torch raises OutOfMemoryError on CUDA and plain RuntimeErrors on MPS and the CPU.
    """
    if isinstance(error, MemoryError):
        return "the machine's memory"
    words = str(error).lower()
    # cuBLAS and cuDNN say ALLOC_FAILED.
    if not re.search(r"out of memory|not enough memory|can(not|'t) allocate memory|alloc_failed", words):
        return None
    if "mps" in words:
        return "the Apple GPU's memory"
    return "the graphics card's memory" if re.search("cuda|cudnn|cublas", words) else "the machine's memory"
