"""From where a camera sees a point to where the volume keeps it.

The volume holds the head at rest, its mouth open. A point that is seen goes back there in two steps: below
the chin from the turning head's frame over into the body's, which does not turn with it; in the face by the
displacement between the moment's expression and the canonical one, as the head model has it. What neither
explains is left to the tri-planes, which depend on the expression themselves.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.domain.camera import rotation_from_angles
from studio.engines.tri2plane.person import VolumePerson
from studio.networks.volume.rays import Rays, pixel_centres

NECK = (0.005, 0.06)
"""Metres above the neutral chin where the neck begins to bend, and over how much height it does."""
FACE = (-0.05, 0.05)
"""Depth, metres of head space, from which the face's displacement is felt, and over how much it sets in."""
SKIN = 0.006
"""Metres over which the proxy's surface fades."""
PRIOR = (-5.0, 1.5)
"""Before and behind the proxy's surface: what is added to the density's logit."""


class Canonical(nn.Module):
    """One person's canonical space; buffers only."""

    low: Tensor
    high: Tensor
    map_low: Tensor
    map_high: Tensor
    rest: Tensor
    proxy: Tensor
    chin: Tensor

    def __init__(self, person: VolumePerson) -> None:
        super().__init__()
        for name, value in (
            ("low", person.low),
            ("high", person.high),
            ("map_low", person.grid.low),
            ("map_high", person.grid.high),
            ("rest", rotation_from_angles(person.rest_angles)),
            ("proxy", person.proxy[None, None]),
            ("chin", person.chin),
        ):
            self.register_buffer(name, torch.as_tensor(value, dtype=torch.float32), persistent=False)

    def grid(self, side: int) -> Tensor:
        """``[1, side, side, 2]``: where the front plane's places lie in the zero-pose maps."""
        part = pixel_centres(0.0, 0.0, 1.0, 1.0, side, side, self.low.device).view(side, side, 2)
        x = self.low[0] + part[..., 0] * (self.high[0] - self.low[0])
        y = self.high[1] - part[..., 1] * (self.high[1] - self.low[1])
        return self._in_maps(torch.stack([x, y], -1))[None]

    def forward(self, rays: Rays, depth: Tensor, body: Tensor, displacement: Tensor) -> Tensor:
        """Canonical head-space points ``[B, N·S, 3]``.

        Args:
            rays: N of each of B cameras.
            depth: ``[B, N, S]`` metres behind the head's plane.
            body: ``[B, 2, 3]`` from places seen by the tracked camera to the body's, see
                :func:`~studio.engines.tri2plane.body.body_maps`.
            displacement: ``[B, 3, G, G]`` metres, in the zero-pose maps' grid.
        """
        seen = rays.in_camera(depth).flatten(1, 2)
        points = seen @ rays.cameras.rotation
        orbit = rays.cameras.orbit
        held = seen if orbit is None else seen @ orbit  # where the tracked camera would see it
        flat = held[..., :2] @ body[:, :, :2].mT + body[:, None, :, 2]
        resting = torch.cat([flat, held[..., 2:]], -1) @ self.rest
        low = smooth((self.chin + NECK[0] - points[..., 1:2]) / NECK[1])
        points = points + low * (resting - points)
        here = self._in_maps(points[..., :2])
        moved = functional.grid_sample(
            displacement, here[:, None], mode="bilinear", padding_mode="border", align_corners=False
        )[:, :, 0].mT
        front = smooth((points[..., 2:] - FACE[0]) / FACE[1])
        return points + front * moved

    def prior(self, points: Tensor) -> Tensor:
        """``[B, M]`` what the proxy adds to the density's logit at canonical points ``[B, M, 3]``."""
        place = (points[..., :2] - self.low[:2]) / (self.high[:2] - self.low[:2]) * 2.0 - 1.0
        place = place * torch.tensor([1.0, -1.0], device=points.device)
        proxy = self.proxy.expand(len(points), -1, -1, -1)
        surface = functional.grid_sample(
            proxy, place[:, None], mode="bilinear", padding_mode="border", align_corners=False
        )[:, 0, 0]
        return ((surface - points[..., 2]) / SKIN).clamp(*PRIOR)

    def unit(self, points: Tensor) -> Tensor:
        """Points in the box to -1..1."""
        return (points - self.low) / (self.high - self.low) * 2.0 - 1.0

    def _in_maps(self, places: Tensor) -> Tensor:
        unit = (places - self.map_low) / (self.map_high - self.map_low) * 2.0 - 1.0
        return unit * torch.tensor([1.0, -1.0], device=places.device)


def smooth(x: Tensor) -> Tensor:
    """0 below 0, 1 above 1, without a corner between."""
    x = x.clamp(0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)
