"""What can be asked of StyleCLIP's three methods (Patashnik et al. 2021). Imports no torch: help reads
these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

Aim = Literal["change", "target"]
"""Along the difference of target and neutral description, or towards the target alone."""
Activation = Literal["auto", "quick", "exact"]
"""As :data:`studio.networks.foreign.clip.Activation`, which needs torch."""


@dataclass(frozen=True)
class GlobalWish:
    """A direction of StyleSpace from words (section 6 of the paper)."""

    text: str
    """What should be different, e.g. ``with round eyeglasses``, ``chubby`` or ``a kid``."""
    neutral: str = ""
    """What it is seen against, e.g. ``a face``; empty: a person, and the text is taken as said of one."""
    alpha: Annotated[float, Ge(-10), Le(10)] = 3.0
    """How far to go, in deviations of the channel that moves most; also backwards. Paper: up to about ±5."""
    auto_beta: bool = True
    """Choose β by trying: of several numbers of channels, those that change least besides what was asked."""
    beta: Annotated[float, Ge(0), Le(1)] = 0.13
    """Channels whose relevance to the words is below this stay; more of it changes fewer things. Paper: 0.08
    to 0.2. Not used with an automatic β."""
    colours: bool = False
    """Also move the channels that only mix colours (toRGB). The paper leaves them out."""
    samples: Annotated[int, Ge(2)] = 48
    """Pictures of the person on which channels are tried. Paper: 100 of many people."""
    probes: Annotated[int, Ge(2)] = 8
    """Directions of CLIP's space, different in every picture, in which all that a channel does is measured.
    As many as CLIP's space has measure it exactly."""
    deviation_samples: Annotated[int, Ge(2)] = 2048
    """Latents from which the channels' means and deviations come. Paper: 100 000."""
    clip: str = ""
    """File of a CLIP, or the id of one in the manifest; empty: the first in the weights folder."""
    activation: Activation = "auto"
    """Which GELU a CLIP file was trained with, where the file does not say: ``quick`` for weights of
    OpenAI."""
    seed: Annotated[int, Ge(0)] = 0
    """Of all random numbers."""


@dataclass(frozen=True)
class OptimiseWish:
    """One shift of W+ by optimisation (section 4)."""

    text: str
    """What should be different, e.g. ``with round eyeglasses``, ``chubby`` or ``a kid``."""
    neutral: str = ""
    """What it is seen against, e.g. ``a face``; empty: a person, and the text is taken as said of one."""
    aim: Aim = "change"
    """Along the difference of target and neutral description, or towards the target alone, as in the paper,
    which may be reached by what has nothing to do with what should be different."""
    steps: Annotated[int, Ge(1)] = 300
    """Steps of Adam. Paper: 200 to 300."""
    learning_rate: Annotated[float, Gt(0)] = 0.1
    """Adam's at its height. Paper: 0.1."""
    l2: Annotated[float, Ge(0)] = 0.008
    """Weight of the shift's squared length. Paper: 0.008."""
    identity: Annotated[float, Ge(0)] = 0.005
    """Weight of the identity loss, where ArcFace is here. Paper: 0 to 0.005."""
    pictures: Annotated[int, Ge(1)] = 8
    """Typical moments of the person that the shift must hold for. Paper: one picture."""
    batch: Annotated[int, Ge(1)] = 2
    """Of them, how many are looked at in a step."""
    smallest_crop: Annotated[float, Gt(0), Le(1)] = 0.85
    """Smallest side of the random crops that CLIP sees, as a share of the picture; 1: always the whole."""
    clip: str = ""
    """File of a CLIP, or the id of one in the manifest; empty: the first in the weights folder."""
    activation: Activation = "auto"
    """Which GELU a CLIP file was trained with, where the file does not say: ``quick`` for weights of
    OpenAI."""
    seed: Annotated[int, Ge(0)] = 0
    """Of all random numbers."""


@dataclass(frozen=True)
class MapperWish:
    """A network that finds a shift of W+ for every latent (section 5)."""

    text: str
    """What should be different, e.g. ``with round eyeglasses``, ``chubby`` or ``a kid``."""
    neutral: str = ""
    """What it is seen against, e.g. ``a face``; empty: a person, and the text is taken as said of one."""
    aim: Aim = "change"
    """Along the difference of target and neutral description, or towards the target alone, as in the paper,
    which may be reached by what has nothing to do with what should be different."""
    coarse: bool = True
    """Let it move the rows that shape pose and form."""
    medium: bool = True
    """Let it move the rows of features."""
    fine: bool = True
    """Let it move the rows of colours."""
    steps: Annotated[int, Ge(1)] = 1000
    """Steps of training. Paper: 50 000, over people of all kinds."""
    learning_rate: Annotated[float, Gt(0)] = 0.5
    """Adam's with lookahead, at its height; weights are equalised. Paper: 0.5, with RAdam and lookahead."""
    l2: Annotated[float, Ge(0)] = 0.8
    """Weight of the mean squared shift. Paper: 0.8."""
    identity: Annotated[float, Ge(0)] = 0.1
    """Weight of the identity loss, where ArcFace is here. Paper: 0.1."""
    batch: Annotated[int, Ge(1)] = 2
    """Pictures in a step. Paper: 2."""
    samples: Annotated[int, Ge(1)] = 512
    """Latents of the person to learn from."""
    smallest_crop: Annotated[float, Gt(0), Le(1)] = 0.85
    """Smallest side of the random crops that CLIP sees, as a share of the picture; 1: always the whole."""
    clip: str = ""
    """File of a CLIP, or the id of one in the manifest; empty: the first in the weights folder."""
    activation: Activation = "auto"
    """Which GELU a CLIP file was trained with, where the file does not say: ``quick`` for weights of
    OpenAI."""
    seed: Annotated[int, Ge(0)] = 0
    """Of all random numbers."""
