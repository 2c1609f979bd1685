"""Settings of the stages that give a prior a person's face: inverting, tuning, mapping.

Apart from the stages themselves, because the command line reads them for its help and these import no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le

from pipelines.training.schedule import Schedule
from pipelines.training.settings import LoopSettings


@dataclass(frozen=True)
class InvertSettings:
    """The projector: W with noise (StyleGAN2, appendix D, with PTI's values), then W+."""

    w_steps: Annotated[int, Ge(0)] = 450
    """Steps in W for the pivot that all others start from. PTI: 450 for every image."""
    neighbour_w_steps: Annotated[int, Ge(0)] = 150
    """Steps in W for a pivot that starts from its neighbour."""
    plus_steps: Annotated[int, Ge(0)] = 250
    """Steps in W+ after that; the paper's encoder answers in W+, too."""
    neighbour_plus_steps: Annotated[int, Ge(0)] = 100
    """Steps in W+ for a pivot that starts from its neighbour."""
    learning_rate: Annotated[float, Gt(0)] = 0.01
    """Adam's. PTI: 0.01 at its height (its schedule overwrites the 5e-3 that it names)."""
    w_samples: Annotated[int, Ge(2)] = 600
    """Samples of w for its mean and deviation. PTI: 600."""
    wander: Annotated[float, Ge(0)] = 0.05
    """Noise on w at the beginning, in deviations of w. Projector: 0.05. None from a neighbour."""
    wander_until: Annotated[float, Gt(0), Le(1)] = 0.75
    """Share of the steps in W at which that noise has faded."""
    ramp_up: Annotated[float, Ge(0), Le(1)] = 0.05
    """Share of the steps in which the rate rises."""
    ramp_down: Annotated[float, Ge(0), Le(1)] = 0.25
    """Share of the steps, at the end, in which it falls."""
    noise_weight: Annotated[float, Ge(0)] = 1e5
    """Weight of the noise maps' regulariser in W. Projector: 1e5."""
    pixel: Annotated[float, Ge(0)] = 1.0
    """Weight of the mean squared difference, beside the perceptual one. PTI's projector: 0."""
    together: Annotated[float, Ge(0)] = 1e-3
    """Weight of the mean squared distance of W+ rows from their mean: keeps latents near W, where editing
    works; in the spirit of e4e's offset regulariser."""
    enough: Annotated[float, Ge(0)] = 0.0
    """Perceptual error at which a stage ends early; 0: never."""
    batch: Annotated[int, Ge(1)] = 4
    """Pivots optimised at once."""
    seed: Annotated[int, Ge(0)] = 0
    """Of all random numbers."""


TUNE_LOOP = LoopSettings(
    steps=1_000_000, batch=1, precision="float32", schedule=Schedule("constant", warmup=0.0)
)
"""PTI's: one image a step, in full precision, at a constant rate."""


@dataclass(frozen=True)
class TuneSettings:
    """How the generator is tuned. Paper and public code agree unless said."""

    threshold: Annotated[float, Ge(0)] = 0.03
    """An image whose perceptual error is below this is left alone. Paper: 0.03, with LPIPS."""
    steps_per_image: Annotated[int, Ge(1)] = 350
    """Steps that one image takes part in at most. Paper: 350."""
    perceptual: Annotated[float, Ge(0)] = 1.0
    """Weight of the perceptual difference. PTI: 1, with LPIPS-Alex."""
    pixel: Annotated[float, Ge(0)] = 1.0
    """Weight of the mean squared difference. PTI: 1."""
    locality: bool = True
    """Hold the generator where it was away from the pivots. Off in PTI's code, essential in the paper."""
    locality_samples: Annotated[int, Ge(1)] = 1
    """Latents held at each step. PTI: 1."""
    locality_perceptual: Annotated[float, Ge(0)] = 0.1
    """Weight of the perceptual difference between tuned and original generator. PTI: 0.1."""
    locality_pixel: Annotated[float, Ge(0)] = 0.1
    """Weight of the mean squared difference between tuned and original generator. PTI: 0.1."""
    background: Annotated[float, Ge(0), Le(1)] = 1.0
    """How much pixels outside of the person count. The paper blacks them out, which is 0."""
    learning_rate: Annotated[float, Gt(0)] = 3e-4
    """Adam's. PTI: 3e-4."""
    loop: LoopSettings = TUNE_LOOP
    """Batch (PTI: 1), minutes and memory; steps are what the images need, at most these."""


@dataclass(frozen=True)
class MapperLossSettings:
    """Weights of eq. 15. The paper's digits are lost in the text at hand; these are the public code's."""

    pixel: Annotated[float, Ge(0)] = 10.0
    """Weight of the mean squared difference to the frame. Code: 10."""
    perceptual: Annotated[float, Ge(0)] = 10.0
    """Weight of the perceptual difference to the frame. Code: 10, with LPIPS-VGG."""
    identity: Annotated[float, Ge(0)] = 0.5
    """Weight of one minus the cosine of face embeddings. Code: 0.5. Off without ArcFace weights."""
    expression: Annotated[float, Ge(0)] = 0.1
    """Weight of expression matching (eq. 11). Code: 0.1, on 50 coefficients; paper: jaw too, as here."""
    pose: Annotated[float, Ge(0)] = 0.1
    """Weight of pose consistency (eq. 12), in squared radians. Code: 0.1."""
    colour: Annotated[float, Ge(0)] = 1.0
    """Weight of colour consistency outside of eyes and mouth (eq. 13). Code: 1."""
    offset: Annotated[float, Ge(0)] = 0.5
    """Weight of the size of the expression offset, of both renderings (eq. 14). Code: 0.5."""
    perturbation: Annotated[float, Ge(0)] = 0.5
    """Size of the random change of expression and jaw for the second rendering, in standard deviations.
    Code: 0.5, of expression alone; paper: jaw too, as here."""
    background: Annotated[float, Ge(0), Le(1)] = 1.0
    """How much pixels outside of the person count. The paper blacks them out, which is 0."""


MAPPER_LOOP = LoopSettings(
    steps=50_000,
    batch=1,
    precision="float32",
    schedule=Schedule("constant", warmup=0.0),
    validate_steps=2_000,
)
"""The paper's 50,000 steps of one image at a constant rate."""
WARM_LOOP = LoopSettings(
    steps=1_500,
    batch=64,
    precision="float32",
    schedule=Schedule("cosine", warmup=0.02, final=0.02),
    validate_steps=150,
    patience=4,
)
"""A few seconds: no picture is rendered."""
MAPPER_LOSSES = MapperLossSettings()
"""The public code's weights."""


@dataclass(frozen=True)
class MapperSettings:
    """The mappers' shape and training."""

    hidden: Annotated[int, Ge(1)] = 128
    """Hidden channels of each mapper. Paper: 128."""
    rows: Annotated[int, Ge(1)] = 8
    """First rows of W+ that expression moves. Paper: 8."""
    beta: Annotated[float, Ge(0)] = 0.02
    """How far outside of the pivots' hull a blending weight may go. Code: 0.02."""
    eyes: bool = True
    """Let the expression mapper see eyelids and gaze, which this head model keeps apart from expression:
    without them the avatar cannot blink. Paper: no."""
    reach: Annotated[float, Ge(0)] = 1.0
    """Largest offset of a number in W+. Paper: 1. With 0 it is three deviations of the pivots' latents, for
    priors whose styles are not of FFHQ's size."""
    losses: MapperLossSettings = MAPPER_LOSSES
    """Weights of eq. 15."""
    learning_rate: Annotated[float, Gt(0)] = 5e-4
    """Adam's. Code: 5e-4."""
    loop: LoopSettings = MAPPER_LOOP
    """Steps, batch, minutes and memory of the training through the prior."""
    warm_rate: Annotated[float, Gt(0)] = 3e-3
    """Adam's rate while the mappers are started from given latents. Not in the paper."""
    warm_loop: LoopSettings = WARM_LOOP
    """Steps of that start; 0 leaves it out."""
    validation_frames: Annotated[int, Ge(1)] = 48
    """Validation frames looked at each time, evenly spread."""
    preview_frames: Annotated[int, Ge(1)] = 4
    """Validation frames in the preview picture."""
