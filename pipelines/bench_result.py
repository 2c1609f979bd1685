"""What a speed measurement found, on which machine, as a table and as JSON."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from studio.devices import devices, usable_cores

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

GIGABYTE = 1024**3


@dataclass(frozen=True)
class Machine:
    """Where it was measured: figures of different machines cannot be compared."""

    processor: str
    """Model name."""
    cores: int
    """Cores that this process may use."""
    memory_gb: float
    """All of it."""
    gpu: str
    """Name, or ``none``."""
    system: str
    """Operating system and version."""
    python: str
    """Version."""
    torch: str
    """Version and build."""
    load: float
    """Other programs' demand for cores when the measurement began (1 minute average), in cores."""


@dataclass(frozen=True)
class Measured:
    """One line of the result."""

    id: str
    """Stable key."""
    title: str
    """What a person reads."""
    value: float
    """The figure."""
    unit: str
    """Its unit."""
    target: float | None = None
    """What the project promises on such a machine: at least this much; None for no promise."""

    @property
    def reached(self) -> bool | None:
        """Whether the promise is kept; None where there is none."""
        return None if self.target is None else bool(self.value >= self.target)


@dataclass(frozen=True)
class Bench:
    """All of one run."""

    machine: Machine
    """Where."""
    clip: str
    """What was measured with, in words."""
    results: tuple[Measured, ...]
    """In the order of the pipeline."""
    settings: DataclassInstance
    """How."""

    def __getitem__(self, name: str) -> float:
        return next(entry.value for entry in self.results if entry.id == name)

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "machine": asdict(self.machine),
            "clip": self.clip,
            "settings": asdict(self.settings),
            "results": [asdict(entry) | {"reached": entry.reached} for entry in self.results],
        }

    def table(self) -> str:
        """Markdown, the machine named above the table."""
        m = self.machine
        head = (
            f"{m.processor}, {m.cores} cores, {m.memory_gb:.0f} GB, GPU: {m.gpu}; {m.system}; "
            f"Python {m.python}, torch {m.torch}. {self.clip}. Other load at the start: {m.load:.1f} cores."
        )
        lines = [head, "", "| | value | unit | at least | |", "|---|---:|---|---:|---|"]
        for entry in self.results:
            target = "" if entry.target is None else f"{entry.target:.4g}"
            word = {None: "", True: "reached", False: "missed"}[entry.reached]
            lines.append(f"| {entry.title} | {entry.value:.4g} | {entry.unit} | {target} | {word} |")
        return "\n".join(lines) + "\n"


def this_machine() -> Machine:
    """Name this machine."""
    import torch

    cards = [device.title for device in devices()[:-1]]
    return Machine(
        processor=processor_name(),
        cores=usable_cores(),
        memory_gb=round(psutil.virtual_memory().total / GIGABYTE, 1),
        gpu=", ".join(cards) or "none",
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        torch=str(torch.__version__),
        load=round(psutil.getloadavg()[0], 1),
    )


def processor_name() -> str:
    """The processor's model name, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return os.environ.get("PROCESSOR_IDENTIFIER") or platform.processor() or platform.machine()


def peak_memory() -> float:
    """The most memory that this process held so far, GB."""
    info = psutil.Process().memory_info()
    if hasattr(info, "peak_wset"):  # Windows
        return float(info.peak_wset) / GIGABYTE
    with suppress(OSError, StopIteration):
        # Linux. What getrusage says there begins with what the process that started this one held.
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024 / GIGABYTE
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / GIGABYTE
