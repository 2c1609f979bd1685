"""Settings of PVP's stages. They import no torch, because the command line reads them for its help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Interval, Lt

from pipelines.prior_settings import InvertSettings, MapperSettings, TuneSettings
from pipelines.training.schedule import Schedule
from pipelines.training.settings import LoopSettings


@dataclass(frozen=True)
class MaterialSettings:
    """What is cut out to learn from."""

    resolution: Literal[32, 64, 128, 256, 512, 1024] = 512
    """Side of the aligned crop in pixels; what the prior works at."""
    guides: Annotated[int, Ge(1)] = 4
    """Versions of each frame's warped guide, each without other pivots."""
    least_gap: Annotated[float, Ge(0)] = 0.15
    """Seconds around a frame whose pivots are never in its guide."""
    most_gap: Annotated[float, Ge(0)] = 1.2
    """Seconds around a frame whose pivots may be missing in its guide."""
    dropped: Annotated[float, Ge(0), Lt(1)] = 0.5
    """Share of all pivots that may be missing in a guide, at most."""
    recombined: Annotated[int, Ge(0)] = 160
    """Moments that never were: pose and expression of different frames, also beyond the clip's range."""
    validation: Annotated[float, Gt(0), Lt(0.5)] = 0.12
    """Share of the training frames, in blocks, by which training is judged and which it never sees."""
    validation_blocks: Annotated[int, Ge(1)] = 3
    """How many blocks those frames form."""
    seed: Annotated[int, Ge(0)] = 0
    """Of all random choices."""


@dataclass(frozen=True)
class EstimatorSettings:
    """How the estimator of a person is learnt."""

    size: Annotated[int, Ge(32)] = 64
    """Side, in pixels, of the crop that it looks at; a multiple of 16."""
    steps: Annotated[int, Ge(1)] = 700
    """Training steps. 700 take about half a minute on one core at 64 pixels."""
    batch: Annotated[int, Ge(1)] = 32
    """Frames a step."""
    learning_rate: Annotated[float, Gt(0)] = 2e-3
    """Height of AdamW's learning rate."""
    kept: Annotated[float, Interval(gt=0, le=1)] = 0.98
    """Share of the variance of this person's expressions that is kept as principal components."""
    shift: Annotated[float, Ge(0)] = 0.03
    """Largest random shift of a training crop, as a share of its side."""
    scale: Annotated[float, Ge(0)] = 0.04
    """Largest random change of scale."""
    turn: Annotated[float, Ge(0)] = 3.0
    """Largest random turn, degrees; the head's angles are turned along."""
    light: Annotated[float, Ge(0)] = 0.15
    """Largest random change of brightness and contrast; a third of it for each colour alone."""
    seed: int = 0
    """Same seed, same estimator."""


PAINTER_LOOP = LoopSettings(
    steps=60_000,
    minutes=8.0,
    batch=8,
    schedule=Schedule("cosine", warmup=0.02, final=0.02),
    clip_norm=1.0,
    average_decay=0.998,
    validate_seconds=20.0,
    patience=0,
)
"""Ends by the clock, so that a slow machine gets a coarser painter and not a longer wait."""


@dataclass(frozen=True)
class PainterSettings:
    """The prior that needs no weights, and how it is taught."""

    w_dim: Annotated[int, Ge(1)] = 64
    """Numbers in a style."""
    channel_base: Annotated[int, Ge(64)] = 8192
    """Channels at a resolution are this over the resolution…"""
    channel_max: Annotated[int, Ge(8)] = 256
    """…and at most this."""
    learning_rate: Annotated[float, Gt(0)] = 1e-3
    """Adam's, at its height."""
    style_noise: Annotated[float, Ge(0)] = 0.4
    """Noise on the parameters that styles come from, in deviations of the clip: neighbours stay
    neighbours."""
    style_decay: Annotated[float, Ge(0)] = 1e-3
    """Weight decay of the linear map from parameters to styles."""
    edges: Annotated[float, Ge(0)] = 0.5
    """Weight of gradient differences at three scales, beside the absolute difference."""
    restraint: Annotated[float, Ge(0)] = 0.02
    """Weight of the size of the correction."""
    made_share: Annotated[float, Ge(0), Lt(1)] = 0.25
    """Share of made-up moments in a batch."""
    validation_frames: Annotated[int, Ge(1)] = 48
    """Validation frames looked at each time."""
    loop: LoopSettings = PAINTER_LOOP
    """Minutes, batch, average and memory."""


PAINTER = PainterSettings()
INVERT = InvertSettings()


@dataclass(frozen=True)
class PriorSettings:
    """Where the personal generator comes from."""

    kind: Literal["scratch", "pretrained"] = "scratch"
    """scratch: a painter over the warped rendering, learnt from the clip alone. pretrained: StyleGAN2 weights
    (FFHQ) that you own, into which the pivots are inverted; it draws faces by itself and can be edited far
    beyond what the clip shows."""
    weights: str = ""
    """Of the pretrained prior: a StyleGAN2 file of your own (.pkl of NVIDIA's PyTorch releases, .pt of
    rosinality's); empty: FFHQ's from the weights folder."""
    painter: PainterSettings = PAINTER
    """Of the prior from scratch."""
    invert: InvertSettings = INVERT
    """Of the pretrained prior: how pivots are inverted where e4e's weights are not there."""
    encode: bool = True
    """Of the pretrained prior: let e4e find the pivots' latents where its weights are there."""


TUNE = TuneSettings()
ESTIMATOR = EstimatorSettings()
MAPPER = MapperSettings()


@dataclass(frozen=True)
class PvpSettings:
    """Pivotal tuning, the estimator, and the mappers."""

    tune: TuneSettings = TUNE
    """Pivotal tuning of the generator (PVP eq. 5)."""
    estimator: EstimatorSettings = ESTIMATOR
    """The differentiable reading of expression and pose, distilled from the tracker."""
    mapper: MapperSettings = MAPPER
    """The two mappers and their losses."""
