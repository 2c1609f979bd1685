"""A NOFA base model in other forms: without compensation, and fine-tuned to each picture in either way
(paper, table 3)."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import torch

from pipelines.fine_tune_nofa import fine_tune
from pipelines.kept_memory import KeptMemory
from pipelines.nofa_avatar_settings import FineTuneSettings
from pipelines.nofa_batches import told_of
from pipelines.nofa_of_one import NofaOfOne, driven
from pipelines.one_picture import OnePicture
from pipelines.people_contenders import Contender, Driven
from studio.engines.nofa.network import NofaNetwork
from studio.engines.nofa.own_weights import optimised_parts
from studio.head import HeadModel


class Form(Contender, Protocol):
    """A contender that has more to say about itself."""

    def said(self) -> str:
        """A sentence once all people have been drawn; empty for none."""


def forms(
    network: NofaNetwork,
    model: HeadModel,
    name: str,
    steps: int,
    settings: FineTuneSettings | None = None,
) -> Sequence[Form]:
    """The other forms of a base model.

    Args:
        network: the base model's.
        model: the head model that drives it.
        name: what tables call it.
        steps: of fine-tuning each picture, the same for both ways.
        settings: of it otherwise; None for those of avatars.
    """
    settings = settings or FineTuneSettings()
    return [
        WithoutCompensation(network, model, f"{name}, nothing compensated"),
        Tuned(network, model, f"{name}, fine-tuned", replace(settings, optimise="compensation"), steps),
        Tuned(
            network, model, f"{name}, generator fine-tuned", replace(settings, optimise="generator"), steps
        ),
    ]


class WithoutCompensation(NofaOfOne):
    """The base model alone."""

    def __init__(self, network: NofaNetwork, model: HeadModel, name: str) -> None:
        super().__init__(network, model, name, compensated=False)

    def said(self) -> str:
        """Nothing."""
        return ""


class Tuned(NofaOfOne):
    """Fine-tuned to each picture anew."""

    def __init__(
        self, network: NofaNetwork, model: HeadModel, name: str, settings: FineTuneSettings, steps: int
    ) -> None:
        super().__init__(network, model, name)
        loop = replace(settings.loop, steps=steps, minutes=0.0, validate_seconds=0.0, validate_steps=steps)
        self._settings = replace(settings, loop=loop)
        self._seconds: list[float] = []
        self._memory = KeptMemory()
        self._last: tuple[bytes, Driven] | None = None

    def of(self, person: OnePicture) -> Driven:
        """See :class:`pipelines.people_contenders.Contender`. The last person is kept."""
        who = person.picture.tobytes()
        if self._last is None or self._last[0] != who:
            network = copy.deepcopy(self._network)
            with tempfile.TemporaryDirectory() as folder, torch.enable_grad(), self._memory.counting():
                tuned = fine_tune(network, person, self._model, self._settings, Path(folder))
            self._seconds.append(tuned.loop.seconds)
            source, moments = told_of(person, self._model, network.shape)
            with torch.no_grad():
                known = network.encode(source)
            self._last = (who, driven(known, network, moments, self._model))
        return self._last[1]

    def said(self) -> str:
        """What it took."""
        optimise = self._settings.optimise
        learnt = sum(
            values.numel()
            for part in optimised_parts(self._network, optimise).values()
            for values in part.parameters()
        )
        mean = sum(self._seconds) / max(1, len(self._seconds))
        return (
            f"{self.name}: {self._settings.loop.steps} steps, {mean:.0f} s a picture, "
            f"{learnt / 1e6:.2f} million weights, {self._memory.peak / 2**20:.0f} MiB kept for the way back."
        )
