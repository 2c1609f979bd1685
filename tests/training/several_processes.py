"""A tiny training in several processes, and what they said: also the program that those processes run.

Two networks take part (the second from the tenth step on), noise is drawn by place, and nothing in it depends
on how a batch is shared out, so that any number of processes must come to the same curve.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipelines.job import Cancelled
from pipelines.training.launch import launch
from pipelines.training.loop import Batch, TrainReport, train
from pipelines.training.order import ShuffledOrder
from pipelines.training.schedule import Schedule
from pipelines.training.settings import LoopSettings, MachineSettings
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted

SETTINGS = LoopSettings(
    steps=24,
    batch=5,
    schedule=Schedule("cosine", warmup=0.1, final=0.1),
    clip_norm=0.5,
    average_decay=0.9,
    validate_steps=6,
    log_steps=3,
    checkpoint_seconds=0.0,
    checkpoint_steps=4,
    seed=3,
)


@dataclass
class Case:
    """One training; plain data, so that it reaches other processes."""

    folder: Path
    settings: LoopSettings = SETTINGS
    start: int = 0
    """Seed of the networks' first weights."""
    stop: dict[int, int] = field(default_factory=dict)
    """Rank to the report at which somebody asks it to stop."""
    cancel: dict[int, int] = field(default_factory=dict)
    """Likewise, for good."""
    limits: dict[int, int] = field(default_factory=dict)
    """Rank to the examples that fit into its memory."""
    memory_from: int = 0
    """Step from which these limits hold."""
    broken: dict[int, int] = field(default_factory=dict)
    """Rank to the step whose loss is no number there."""
    die: dict[int, int] = field(default_factory=dict)
    """Rank to the step in which it is killed."""
    hasty: dict[int, float] = field(default_factory=dict)
    """Rank to how fast its clock runs; the clock goes by steps."""
    full_from: int | None = None
    """Step from which the disk is full."""
    normed: bool = False
    """Whether there is a batch normalisation."""


class Net(nn.Module):
    seen: Tensor

    def __init__(self, normed: bool = False) -> None:
        super().__init__()
        more = [nn.BatchNorm1d(16)] if normed else []
        self.layers = nn.Sequential(nn.Linear(3, 16), *more, nn.Tanh(), nn.Linear(16, 1))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        self.seen += len(x) if self.training else 0
        return self.layers(x)


class Heard:
    """A Reporter that remembers and may raise."""

    def __init__(self, stop: int | None, cancel: int | None) -> None:
        self.stop, self.cancel = stop, cancel
        self.reports = 0
        self.said: list[str] = []
        self.metrics: list[dict[str, float]] = []
        self.pictures = 0

    def __call__(self, done: int, total: int | None, what: str) -> None:
        self.reports += 1
        if self.reports == self.stop:
            raise Interrupted
        if self.reports == self.cancel:
            raise Cancelled

    def metric(self, **values: float) -> None:
        self.metrics.append(values)

    def note(self, text: str) -> None:
        pass

    def say(self, sentence: str) -> None:
        self.said.append(sentence)

    def picture(self, path: Path) -> None:
        self.pictures += 1


def play(case: Case, rank: int = 0, fabric: Any = None) -> dict[str, Any]:
    """Train; what happened, as plain data."""
    torch.manual_seed(100)
    x = torch.randn(42, 3)
    y = x.prod(1, keepdim=True)
    # Other weights in each process: the first one's must count.
    torch.manual_seed(case.start + 1000 * rank)
    net, late = Net(case.normed), nn.Linear(3, 1)
    now = [0.0]
    tried: list[tuple[int, int]] = []

    def step(batch: Batch) -> dict[str, Tensor]:
        now[0] += case.hasty.get(rank, 0.0)
        tried.append((batch.step, len(batch.indices)))
        if case.die.get(rank) == batch.step:
            os.kill(os.getpid(), signal.SIGKILL)
        limit = case.limits.get(rank)
        if limit is not None and batch.step >= case.memory_from and len(batch.indices) > limit:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        chosen = torch.from_numpy(batch.indices)
        noise = [
            np.random.default_rng([batch.step, batch.place + i]).normal(size=3) for i in range(len(chosen))
        ]
        seen = x[chosen] + 0.1 * torch.from_numpy(np.stack(noise)).float()
        out = net(seen)
        if batch.step >= 10:
            out = out + late(seen)
        error = out - y[chosen]
        loss = error.square().mean()
        if case.broken.get(rank) == batch.step:
            loss = loss * float("nan")
        return {"loss": loss, "size": error.abs().mean()}

    def validate() -> dict[str, float]:
        world = 1 if fabric is None else fabric.world_size
        mine = slice(rank * 42 // world, (rank + 1) * 42 // world)
        return {"loss": float((net(x[mine]) + late(x[mine]) - y[mine]).square().mean()), "rank": float(rank)}

    def preview() -> np.ndarray:
        return np.zeros((4, 4, 3), np.uint8)

    heard = Heard(case.stop.get(rank), case.cancel.get(rank))
    more = {}
    if case.full_from is not None:
        more["disk"] = _Full(case.full_from, tried)
    result: dict[str, Any] = {"end": "finished"}
    optimisers = {
        "net": torch.optim.Adam(net.parameters(), lr=0.02),
        "late": torch.optim.Adam(late.parameters(), lr=0.01),
    }
    try:
        report = train(
            modules={"net": net, "late": late},
            optimisers=optimisers,
            step=step,
            order=ShuffledOrder(42, case.settings.batch, 3),
            settings=case.settings,
            folder=case.folder,
            what="learning products",
            progress=heard,
            validate=validate,
            preview=preview,
            more=more,
            clock=(lambda: now[0]) if case.hasty else time.monotonic,
            fabric=fabric,
        )
        result.update(_plain(report))
    except (Problem, Interrupted) as error:
        result.update(end=type(error).__name__, message=str(error))
    weights = {
        name: tensor.tolist() for name, tensor in [*net.state_dict().items(), *late.state_dict().items()]
    }
    result.update(
        weights=weights, tried=tried, said=heard.said, metrics=heard.metrics, pictures=heard.pictures
    )
    return result


def _plain(report: TrainReport) -> dict[str, Any]:
    return {
        "reason": report.reason,
        "steps": report.steps,
        "seconds": report.seconds,
        "micro": report.micro_batch,
        "best": report.best,
        "losses": [[step, figures] for step, figures in report.losses],
        "validations": [[step, figures] for step, figures in report.validations],
    }


class _Full:
    """Something that cannot be written any more."""

    def __init__(self, since: int, tried: list[tuple[int, int]]) -> None:
        self._since, self._tried = since, tried

    def state_dict(self) -> dict[str, Any]:
        if self._tried and self._tried[-1][0] >= self._since:
            raise Problem("The disk is full: make room.")
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


def _process(cases: dict[str, Case], rank: int, world: int, port: int, answers: Path) -> None:
    """One of several processes, as torchrun would have started it."""
    os.environ.update(
        TORCHELASTIC_RUN_ID="test",
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(world),
        LOCAL_WORLD_SIZE=str(world),
        GROUP_RANK="0",
        GROUP_WORLD_SIZE="1",
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
    )
    fabric = launch(MachineSettings(device="cpu"))
    assert (fabric.world_size, fabric.global_rank) == (world, rank)
    for name, case in cases.items():
        (answers / f"{name}-{rank}.json").write_text(json.dumps(play(case, rank, fabric)))


Answers = list[dict[str, Any]]
"""What each process said."""


def together(
    cases: dict[str, Case], answers: Path, world: int = 2, limit: float = 300.0
) -> dict[str, Answers]:
    """Play cases one after the other in the same processes, a new folder ``answers`` taking what they say.

    A process that is dead by the time has nothing to say: an empty dict.
    """
    # Forked from a process in which everything is imported and nothing has run yet.
    context = get_context("forkserver")
    context.set_forkserver_preload(["lightning_fabric", __name__])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    answers.mkdir(parents=True)
    processes = [
        context.Process(target=_process, args=(cases, rank, world, port, answers)) for rank in range(world)
    ]
    for process in processes:
        process.start()
    end = time.monotonic() + limit
    try:
        for process in processes:
            process.join(max(0.0, end - time.monotonic()))
            assert not process.is_alive(), "a process waits for another one that will not come"
    finally:
        for process in processes:
            process.kill()

    def said(path: Path) -> dict[str, Any]:
        return json.loads(path.read_text()) if path.exists() else {}

    return {name: [said(answers / f"{name}-{rank}.json") for rank in range(world)] for name in cases}


def variant(case: Case, folder: Path, **changes: Any) -> Case:
    """A case with other settings, in a folder of its own."""
    return replace(case, folder=folder, settings=replace(case.settings, **changes))
