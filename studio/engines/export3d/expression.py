"""What a face expresses, told without whose face it is: learned basis scaling (paper, section 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.engines.export3d.expression_space import SLOPE
from studio.engines.export3d.settings import Export3DSettings
from studio.head.expression_numbers import EXPRESSION
from studio.networks.orthonormal_basis import OrthonormalBasis
from studio.networks.resnet_se import ResNetSe18

TEMPERATURE = 0.07
"""τ of equation 1."""


class BasisScaling(nn.Module):
    """LeBS: expression to n coefficients to ``Σ λᵢ vᵢ`` (equation 3). With contrastive training: CLeBS."""

    usual: Tensor
    """``[n]`` deviation of each coefficient over the people who were learnt from."""
    size: Tensor
    """What representations are divided by. Contrast compares directions and leaves their length open; too
    short ones would hardly modulate anything."""

    def __init__(self, directions: int, representation: int, hidden: int) -> None:
        super().__init__()
        self.read = _layers(hidden, directions)
        self.basis = OrthonormalBasis(representation, directions)
        self.register_buffer("usual", torch.ones(directions))
        self.register_buffer("size", torch.ones(()))

    def measure(self, expressions: Tensor) -> None:
        """Keep how far expressions ``[N, 57]`` usually go along each direction, for sliders."""
        with torch.no_grad():
            self.usual.copy_(self.scales(expressions).std(0).clamp_min(1e-6))

    def level(self, expressions: Tensor) -> None:
        """From now on numbers of representations deviate by one over expressions ``[N, 57]``."""
        with torch.no_grad():
            self.size.fill_(1.0)
            self.size.copy_(self(expressions).var(0).mean().sqrt().clamp_min(1e-6))

    def scales(self, expression: Tensor) -> Tensor:
        """Expressions ``[B, 57]`` to coefficients λ ``[B, n]``, without bounds."""
        # Numbers of expressions have long tails; jaws and lids must not drown in them.
        out: Tensor = self.read(expression.asinh())
        return out

    def from_scales(self, scales: Tensor) -> Tensor:
        """Coefficients ``[B, n]``, of which each may be a slider, to representations β′ ``[B, d]``."""
        return scales.to(self.basis.weight.dtype) @ self.basis().mT / self.size

    def forward(self, expression: Tensor) -> Tensor:
        """``[B, 57]`` to ``[B, d]``."""
        return self.from_scales(self.scales(expression))


class DirectExpression(nn.Module):
    """Linear layers in LeBS' place (table 3, “direct 3DMM”): ``[B, 57]`` to ``[B, d]``."""

    def __init__(self, representation: int, hidden: int) -> None:
        super().__init__()
        self.read = _layers(hidden, representation)

    def forward(self, expression: Tensor) -> Tensor:
        """See the class."""
        out: Tensor = self.read(expression.asinh())
        return out


def expression_encoder(shape: Export3DSettings) -> BasisScaling | DirectExpression:
    """What settings ask for. CLeBS is LeBS here; that it is trained before and frozen is the training's."""
    if shape.encoding == "direct":
        return DirectExpression(shape.representation, shape.expression_hidden)
    return BasisScaling(shape.directions, shape.representation, shape.expression_hidden)


class ExpressionPictures(nn.Module):
    """The image encoder f_I, used only in contrastive training: ``[B, 3, S, S]`` to ``[B, d]``."""

    def __init__(self, representation: int, width: int = 64) -> None:
        """
        Args:
            representation: d.
            width: channels of the first stage; 64 is ResNet-18's.
        """
        super().__init__()
        self.features = ResNetSe18(representation, width)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures in -1..1; a person's outline behind the colours is not looked at."""
        out: Tensor = self.features(pictures[:, :3])
        return out


def contrastive_loss(
    pictures: Tensor, expressions: Tensor, temperature: float = TEMPERATURE, own: bool = True
) -> Tensor:
    """Equation 1, averaged over all k: an expression is told which of its clip's pictures is its own.

    Each of a clip's M frames is the positive of its own expression and a negative of the M − 1 others, so 33
    frames give every expression the paper's 32 negatives, and 33 examples for 33 pictures.

    The equation's sum is over j ≠ k, without the positive. Then nothing bounds it below, and it goes on
    pulling at pairs that have long been told apart. The frameworks that the paper takes it from have the
    positive in their sum; so has this one.

    Args:
        pictures: ``[C, M, d]`` representations of M frames of each of C clips.
        expressions: ``[C, M, d]`` of the same frames.
        temperature: τ.
        own: whether the positive is in the sum; False for the equation as it is printed.

    Returns:
        A number; 0 for perfect pairs with ``own``.
    """
    with torch.autocast(pictures.device.type, enabled=False):
        seen, told = (functional.normalize(x.float(), dim=-1) for x in (pictures, expressions))
        alike = told @ seen.mT / temperature  # [C, expression k, picture j]
        positive = alike.diagonal(dim1=1, dim2=2)
        if not own:
            diagonal = torch.eye(alike.shape[1], dtype=torch.bool, device=alike.device)
            alike = alike.masked_fill(diagonal, -torch.inf)
        return (alike.logsumexp(-1) - positive).mean()


def _layers(hidden: int, outputs: int) -> nn.Sequential:
    """The two fully connected layers."""
    return nn.Sequential(nn.Linear(EXPRESSION, hidden), nn.LeakyReLU(SLOPE), nn.Linear(hidden, outputs))
