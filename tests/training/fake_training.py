"""A tiny training with everything in it that a kill could upset; also a program for the tests to kill.

``python fake_training.py FOLDER STEPS SECONDS``: trains in FOLDER, each step taking SECONDS.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from pipelines.training.loop import Batch, TrainReport, train
from pipelines.training.order import Order, ShuffledOrder
from pipelines.training.schedule import Schedule
from pipelines.training.settings import LoopSettings
from studio.domain.progress import Progress, silent

SETTINGS = LoopSettings(
    steps=60,
    batch=6,
    micro_batch=4,
    schedule=Schedule("cosine", warmup=0.1, final=0.1),
    clip_norm=1.0,
    average_decay=0.9,
    validate_steps=7,
    log_steps=4,
    checkpoint_seconds=0.0,
    checkpoint_steps=5,
    seed=3,
)


class Net(nn.Module):
    """Regression with dropout (torch's own randomness) and a counting buffer."""

    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Dropout(0.1), nn.Linear(16, 1))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.seen += len(x)
        return self.layers(x)


@dataclass
class Learning:
    """One attempt at the training: new networks, what is on disk."""

    folder: Path
    settings: LoopSettings = SETTINGS
    start: int = 0
    """Seed of the networks' first weights."""
    seconds: float = 0.0
    """How long a step takes."""
    limit: int | None = None
    """Examples that fit into memory."""
    rates: list[float] = field(default_factory=list)
    """Learning rates seen."""
    shares: list[float] = field(default_factory=list)
    """Shares of the budget seen."""

    def __post_init__(self) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(100)
            self.x = torch.randn(50, 3)
            self.y = self.x.prod(1, keepdim=True)
            torch.manual_seed(self.start)
            self.net = Net()
        self.optimiser = torch.optim.Adam(self.net.parameters(), lr=0.01)

    def step(self, batch: Batch) -> Mapping[str, Tensor]:
        self.rates.append(self.optimiser.param_groups[0]["lr"])
        self.shares.append(batch.share)
        if self.limit is not None and len(batch.indices) > self.limit:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        time.sleep(self.seconds)
        chosen = torch.from_numpy(batch.indices)
        noise = torch.from_numpy(batch.random().normal(size=(len(chosen), 1))).float()
        error = self.net(self.x[chosen]) - self.y[chosen] - 0.01 * noise
        return {"loss": error.square().mean(), "size": error.abs().mean()}

    def validate(self) -> float:
        # Random on purpose: a resumed run must draw the same numbers.
        return float((self.net(self.x + 0.1 * torch.randn(50, 3)) - self.y).square().mean())

    def run(
        self,
        progress: Progress = silent,
        *,
        order: Order | None = None,
        validate: Callable[[], float] | None = None,
        preview: Callable[[], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
        **changes: object,
    ) -> TrainReport:
        self.settings = replace(self.settings, **changes)  # type: ignore[arg-type]
        return train(
            modules={"net": self.net},
            optimisers=self.optimiser,
            step=self.step,
            order=order or ShuffledOrder(len(self.x), self.settings.batch, self.settings.seed),
            settings=self.settings,
            folder=self.folder,
            what="learning products",
            progress=progress,
            validate=validate or self.validate,
            preview=preview,  # type: ignore[arg-type]
            clock=clock,
        )

    def weights(self) -> dict[str, Tensor]:
        return {name: tensor.clone() for name, tensor in self.net.state_dict().items()}


def main(folder: str, steps: str, seconds: str) -> None:
    report = Learning(Path(folder), seconds=float(seconds), start=int(time.time())).run(steps=int(steps))
    print(json.dumps({"losses": report.losses, "validations": report.validations}))


if __name__ == "__main__":
    main(*sys.argv[1:])
