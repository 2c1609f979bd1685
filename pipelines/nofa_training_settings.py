"""Settings of NOFA's training on people. They import no torch: the command line reads them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Interval

from pipelines.frame_settings import FrameSettings
from pipelines.people_loops import BY_STEPS, BY_THE_CLOCK
from pipelines.training.settings import LoopSettings
from studio.engines.nofa.settings import NofaSettings, Side, Size, nofa_settings

SMALL_LOOP = replace(BY_THE_CLOCK, minutes=30.0, batch=4)
"""What two processor cores do."""
FULL_LOOP = replace(BY_STEPS, steps=475_000, batch=8)
"""The paper's 250,000, 25,000 and 100,000 steps, and as many before them for a prior from scratch as make
EG3D's 25 million pictures unnecessary for one that is read from a file: none are needed then."""
Shows = Literal["itself", "pairs"]
FieldLearns = Literal["general", "compensation"]


@dataclass(frozen=True)
class StageSettings:
    """Shares of the budget, one after the other. What is left is compensation's."""

    prior: Annotated[float, Interval(ge=0, lt=1)] = 0.2
    """The prior from scratch, as a generator against a discriminator (EG3D); 0 where it is read from a
    file."""
    general: Annotated[float, Interval(ge=0, lt=1)] = 0.53
    """The general stage: encoder, deformation field and prior (paper: 250 of 375)."""
    teeth: Annotated[float, Interval(ge=0, lt=1)] = 0.05
    """Teeth refinement (paper: 25 of 375). Without a restoration network it is left out, and compensation
    gets its share."""


@dataclass(frozen=True)
class PriorSettings:
    """How the prior is trained from scratch (Chan et al. 2022)."""

    critic_rate: Annotated[float, Gt(0)] = 2e-3
    """The discriminator's learning rate, Adam's (EG3D: 0.002)."""
    gradient_penalty: Annotated[float, Ge(0)] = 1.0
    """γ of R1 (EG3D: 1 for FFHQ at 512)."""
    penalty_every: Annotated[int, Ge(1)] = 16
    """Steps between two of them, each of which counts that many times."""
    told_another: Annotated[float, Interval(ge=0, le=1)] = 0.5
    """How often the generator is told another camera than the one that looks, so that faces do not depend on
    it (EG3D: 0.5)."""
    smooth_density: Annotated[float, Ge(0)] = 0.25
    """Weight of differences of densities of points close together (EG3D: 0.25)."""
    read_from: str = ""
    """Path of an EG3D generator pickle to begin with instead; its shape must be the network's."""


@dataclass(frozen=True)
class NofaTrainingSettings:
    """How NOFA is trained on people."""

    network: NofaSettings = field(default_factory=lambda: nofa_settings("small"))
    """How large the network is and which of its parts are on."""
    stages: StageSettings = field(default_factory=StageSettings)
    """How long each stage is."""
    prior: PriorSettings = field(default_factory=PriorSettings)
    """How the prior is trained."""
    learning_rate: Annotated[float, Gt(0)] = 1e-4
    """Adam's, at its height (the paper's is lost; 1e-4 is pSp's, e4e's and TriPlaneNet's)."""
    field_rate: Annotated[float, Gt(0)] = 1.0
    """The deformation field's learning rate in others."""
    field_learns: FieldLearns = "general"
    """When the deformation field learns: in the general stage (paper), or in compensation instead. A base
    model of minutes is a blur in which nobody can tell where a point belongs."""
    looks_weight: Annotated[float, Ge(0)] = 0.8
    """Weight of how different pictures look (e4e's)."""
    raw_weight: Annotated[float, Ge(0)] = 0.0
    """Weight of squared differences of what rays draw. Without it a super-resolution may make up for any
    colours, which those seen from the source then stand between. Paper: 0."""
    eyes_and_mouth: Annotated[float, Ge(0)] = 0.0
    """How many times more squares count at eyes and mouth. Paper: 0, mouths have a loss of their own."""
    compensation_shows: Shows = "itself"
    """What compensation is taught by: its source itself (paper, on single pictures), or other frames of the
    source's clip."""
    flip: bool = True
    """Whether half of the pairs are seen in a mirror."""
    jitter: Annotated[float, Interval(ge=0, lt=1)] = 0.1
    """Largest change of brightness, contrast and saturation, alike for both pictures of a pair."""
    zoom: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    """Largest share by which both pictures of a pair are enlarged and shifted. Paper: 0."""
    validation_identities: Annotated[int, Ge(0)] = 3
    """People of the training side by whom training is judged and from whom it never learns. Held-out people
    are not looked at before the end."""
    validation_pairs: Annotated[int, Ge(1)] = 48
    """Pairs of theirs that are looked at each time."""
    frames: FrameSettings = field(default_factory=FrameSettings)
    """How pictures reach the training."""
    loop: LoopSettings = SMALL_LOOP
    """Minutes, batch, average and memory."""


def training_settings(size: Size, side: Side) -> NofaTrainingSettings:
    """The settings of a training by the network's size: small and tiny for two processor cores, the others
    for graphics cards. ValueError for a size or side that there is no network for."""
    network = nofa_settings(size, side)
    if size in ("small", "tiny"):
        return NofaTrainingSettings(
            network=network,
            stages=StageSettings(prior=0.1, general=0.4, teeth=0.05),
            learning_rate=1e-3,
            field_rate=0.1,
            field_learns="compensation",
            looks_weight=2.0,
            raw_weight=1.0,
            eyes_and_mouth=5.0,
            compensation_shows="pairs",
            zoom=0.1,
        )
    settings = NofaTrainingSettings(network=network, loop=FULL_LOOP)
    if size == "full":
        return settings
    return replace(settings, eyes_and_mouth=5.0, compensation_shows="pairs")
