"""A command that trains, behind the door of the real ones: for tests to start as people do.

``python launched.py FOLDER PROCESSES SECONDS``: a tiny training in FOLDER whose steps take SECONDS each.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from pipelines.cli import door
from pipelines.cli.screen import Screen
from pipelines.training.batch import Batch
from pipelines.training.order import ShuffledOrder
from pipelines.training.settings import LoopSettings, MachineSettings

SETTINGS = LoopSettings(steps=40, batch=4, log_steps=5, checkpoint_seconds=0.0, checkpoint_steps=5, seed=1)


def command(words: list[str]) -> int:
    """As the command line's commands are."""
    from pipelines.training.launch import launch
    from pipelines.training.loop import train

    folder, processes, seconds = Path(words[0]), int(words[1]), float(words[2])
    with Screen().working() as progress:
        fabric = launch(MachineSettings(device="cpu", processes=processes))
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)).to(fabric.device)
        x = torch.randn(30, 3)
        y = x.prod(1, keepdim=True)
        (folder / f"pid-{fabric.global_rank}-{fabric.world_size}").write_text(str(os.getpid()))

        def step(batch: Batch) -> Tensor:
            time.sleep(seconds)
            chosen = torch.from_numpy(batch.indices)
            return (net(x[chosen]) - y[chosen]).square().mean()

        report = train(
            modules={"net": net},
            optimisers=torch.optim.Adam(net.parameters(), lr=0.01),
            step=step,
            order=ShuffledOrder(30, 4, 1),
            settings=replace(SETTINGS, tensorboard=str(folder / "board")),
            folder=folder / "train",
            what="learning products",
            progress=progress,
            fabric=fabric,
        )
    if fabric.is_global_zero:
        print(json.dumps(report.losses))
    return 0


if __name__ == "__main__":
    # Whoever runs tests in the background has told them not to hear Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    door.COMMANDS["train-tiny"] = ("__main__:command", "Train something tiny.")
    sys.exit(door.run(["train-tiny", *sys.argv[1:]]))
