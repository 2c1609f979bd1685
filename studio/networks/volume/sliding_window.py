"""The geometry-aware sliding window (Tri²-plane, section 3.3).

A training picture larger than what a network makes is looked at through a window at a random place,
together with the camera that sees exactly this window. Heads that were filmed near the middle are so also
learnt beside it, and more of the shoulders is seen.

Two cameras may be meant, and for parallel rays (nearness 0, as tracked) they are one:

* ``crop``: the eye stays, and the principal point moves with the window (the paper: "moving the center
  position value of the camera in c_I"). This is what cutting a window out does, exactly, at every depth.
* ``head``: the paper's ΔT. The camera and its window stay, and the head moves before it. Eq. 9 gives ``ΔT
  = R c_I⁻¹ [Δx, Δy]``; its R only turns the move into the head's axes, because eq. 4 subtracts T there.
  In camera axes it is ``ΔT = K⁻¹ (4 − T_z) [m_x, m_y, 0]``: m pixels divided by the focal length f, times
  the distance Z = 4 − T_z of the head from the eye. Here Z / f, metres of the head's plane for each
  pixel, is the linear part L of ``Cameras.to_plane``, and 1 / Z the nearness n: ΔT = −L m, as the head
  goes against the window. Seen from the head, which stays in its own coordinates, the eye goes instead:
  from e to e + L m.

What that means for a point X that lies d metres behind the head's plane: the eye sees it at the plane's
point ``(X + e n d) / (1 + n d)``. With the eye at e that is at p − m of the window; with the eye at e + L
m it is at

    ``p − m + m n d / (1 + n d)  =  p − m Z / (Z + d)``.

Both agree in the head's plane; behind it the paper's window is off by the parallax ``m n d / (1 + n d)``:
with the paper's largest m of 112 pixels and a camera 2 m away, 5 pixels for an ear 10 cm behind the
plane. The crop is the default, because the picture it is compared with is a crop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from studio.networks.volume.rays import Cameras

Follow = Literal["crop", "head"]
"""What a window's camera is: the picture's with its principal point moved, or the paper's moved head."""


def cropped(cameras: Cameras, shift: Tensor) -> Cameras:
    """Cameras of the windows that begin at ``[B, 2]`` pixels, exactly: the eye stays where it is."""
    return cameras.moved(shift)


def before_a_moved_head(cameras: Cameras, shift: Tensor) -> Cameras:
    """The paper's: the head moves against its window, ``[B, 2]`` pixels, before a camera that stays."""
    moved = cameras.moved(shift)
    offset = moved.to_plane[:, :, 2] - cameras.to_plane[:, :, 2]
    return replace(moved, eye=cameras.eye + offset)


FOLLOW: Mapping[Follow, Callable[[Cameras, Tensor], Cameras]] = {"crop": cropped, "head": before_a_moved_head}
"""How a camera follows its window."""


@dataclass(frozen=True)
class Windows:
    """One square window for each of B pictures of one size."""

    middle: tuple[int, int]
    """x and y at which a window in the picture's middle begins, pixels."""
    offset: Tensor
    """``[B, 2]`` whole pixels from the middle (m_x, m_y), int64, on the CPU."""
    side: int
    """Width and height, pixels."""

    def __len__(self) -> int:
        return len(self.offset)

    @property
    def corner(self) -> Tensor:
        """``[B, 2]`` x and y at which the windows begin, pixels of the pictures, int64."""
        return self.offset + torch.tensor(self.middle)

    def slices(self, index: int) -> tuple[slice, slice]:
        """Rows and columns of one window, for anything that is indexed ``[H, W, ...]``."""
        x, y = (int(v) for v in self.corner[index])
        return slice(y, y + self.side), slice(x, x + self.side)

    def cut(self, pictures: Tensor) -> Tensor:
        """The windows of ``[B, C, H, W]`` pictures, ``[B, C, side, side]``; a copy."""
        if len(pictures) != len(self):
            raise ValueError(f"{len(self)} windows for {len(pictures)} pictures")
        return torch.stack([picture[:, *self.slices(index)] for index, picture in enumerate(pictures)])

    def cameras(self, whole: Cameras, follow: Follow = "crop") -> Cameras:
        """Cameras that see the windows, from those that see the whole pictures.

        The middle window is always a crop, so both ways of following agree there.
        """
        tensor = whole.to_plane
        middle = whole.moved(torch.tensor(self.middle).to(tensor).expand(len(self), 2))
        return FOLLOW[follow](middle, self.offset.to(tensor))


def drawn_windows(
    count: int,
    size: tuple[int, int],
    side: int,
    share: float = 112 / 512,
    chance: torch.Generator | None = None,
) -> Windows:
    """Windows at random places, equally likely.

    Args:
        count: how many.
        size: the pictures' width and height, pixels.
        side: the windows', pixels.
        share: how far from the middle they may begin, as a share of their side, and never beyond the picture.
            The paper's are 512 pixels wide and walk up to 112. 0 gives the middle window.
        chance: a generator on the CPU; torch's own when None.

    Raises:
        ValueError: the window is larger than the picture, or the share negative.
    """
    width, height = size
    if not 0 < side <= min(width, height):
        raise ValueError(f"no window of {side} pixels in a picture of {width}×{height}")
    if share < 0:
        raise ValueError(f"a window cannot walk {share} of its side")
    reach = round(share * side)
    middle = ((width - side) // 2, (height - side) // 2)
    columns = []
    for begin, room in zip(middle, (width - side, height - side)):
        low, high = -min(reach, begin), min(reach, room - begin)
        columns.append(torch.randint(low, high + 1, (count,), generator=chance))
    return Windows(middle, torch.stack(columns, -1), side)
