"""VGG19's features: torchvision's own layers, read from its kind of file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision
from torch import Tensor, nn

from studio.domain.problem import Problem
from studio.networks.vgg19_features import load_vgg19

LAYERS = (1, 6, 11, 20, 29)
"""torchvision's places of relu1_1 to relu5_1."""


@pytest.fixture(scope="module")
def torchvisions() -> nn.Sequential:
    """Its convolutions with random weights; the classifier is not needed."""
    torch.manual_seed(0)
    layers = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["E"]).eval()
    assert isinstance(layers, nn.Sequential)
    return layers


def test_the_same_as_torchvisions_layers(torchvisions: nn.Sequential, tmp_path: Path) -> None:
    file = tmp_path / "vgg19-dcbb9e9d.pth"
    torch.save({f"features.{name}": value for name, value in torchvisions.state_dict().items()}, file)
    picture = torch.rand(1, 3, 32, 32) * 2.0 - 1.0
    felt = load_vgg19(file)(picture)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = (0.5 * picture + 0.5 - mean[:, None, None]) / deviation[:, None, None]
    wanted: list[Tensor] = []
    for place, layer in enumerate(torchvisions):
        x = layer(x)
        if place in LAYERS:
            wanted.append(x.clone())
    assert [tuple(a.shape) for a in felt] == [tuple(b.shape) for b in wanted]
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(felt, wanted))


@pytest.mark.parametrize("content", [b"no weights", None])
def test_another_file_is_told_apart(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "vgg19-dcbb9e9d.pth"
    if content is None:
        torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, file)
    else:
        file.write_bytes(content)
    with pytest.raises(Problem, match=r"vgg19-dcbb9e9d\.pth is not torchvision's VGG19"):
        load_vgg19(file)
