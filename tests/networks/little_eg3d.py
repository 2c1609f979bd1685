"""An EG3D generator with few channels, every tensor of it random, and cameras."""

from __future__ import annotations

import torch
from torch import Tensor

from studio.networks.eg3d import Eg3dConfig, Eg3dGenerator

LITTLE = Eg3dConfig(
    side=16,
    z_dim=6,
    w_dim=8,
    mapping_layers=2,
    channel_base=48,
    channel_max=6,
    plane_side=8,
    plane_features=4,
    planes="published",
    hidden=5,
    rendered=4,
    raw_side=3,
    coarse_samples=7,
    fine_samples=5,
    sharp=(6, 5),
)


def little_generator(config: Eg3dConfig = LITTLE, seed: int = 0) -> Eg3dGenerator:
    torch.manual_seed(seed)
    made = Eg3dGenerator(config)
    weights = made.state_dict()
    with torch.no_grad():
        for name, value in weights.items():
            if not name.endswith("resample_filter"):
                value.add_(0.3 * torch.randn_like(value))
        weights["decoder.net.2.weight"].mul_(4.0)
        weights["decoder.net.2.bias"][0] += 17.0  # matter enough to be seen, and to be seen through
    return made.eval()


def little_cameras(count: int = 2) -> Tensor:
    """``[count, 25]`` about the head, eyes 2.7 away."""
    rows = []
    for number in range(count):
        angle = torch.tensor(0.3 * number - 0.1)
        c, s = angle.cos(), angle.sin()
        turn = torch.tensor([[c, 0.0, -s], [0.0, -1.0, 0.0], [-s, 0.0, -c]])
        pose = torch.eye(4)
        pose[:3, :3], pose[:3, 3] = turn, turn @ torch.tensor([0.02, -0.01, -2.7])
        lens = torch.tensor([[4.2, 0.0, 0.48], [0.0, 4.3, 0.51], [0.0, 0.0, 1.0]])
        rows.append(torch.cat([pose.flatten(), lens.flatten()]))
    return torch.stack(rows)
