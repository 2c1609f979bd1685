"""Training on people in as many processes as torchrun has started: a program for tests.

``python processes_program.py CORPUS FOLDER ANSWER``: writes the curve to ANSWER.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

from pipelines.train_semantic import train_semantic
from pipelines.training.launch import launch
from pipelines.training.settings import MachineSettings
from studio.corpus.corpus import Corpus
from tests.people.little_training import NETWORK, little


def main(corpus: str, folder: str, answer: str) -> None:
    """Train, with a discriminator from a third of the way on."""
    settings = little(12, critic_from=0.34, network=replace(NETWORK, norm="group"))
    settings = replace(settings, loop=replace(settings.loop, log_steps=3, validate_steps=6))
    fabric = launch(MachineSettings(device="cpu"))
    trained = train_semantic(Corpus.open(Path(corpus)).clips, settings, Path(folder), fabric=fabric)
    if fabric.is_global_zero:
        curves = {"losses": trained.loop.losses, "validations": trained.loop.validations}
        Path(answer).write_text(json.dumps(curves), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
