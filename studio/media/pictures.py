"""From decoded frames to upright RGB pictures."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from studio.media.orientation import Orientation, orientation_from_matrix

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

Picture = npt.NDArray[np.uint8]
"""``[H, W, 3]`` RGB."""

SQUARE_ENOUGH = Fraction(1, 100)
"""Pixels whose sides differ by less than this share count as square: rescaling would only blur."""

# H.273 code points, as FFmpeg numbers them.
_UNSPECIFIED_MATRIX = 2
_BT709, _BT601 = 1, 5
_TRANSFERS = {16: "pq", 18: "hlg"}


class Developer:
    """Turns the frames of one stream into pictures of one size.

    The size and the orientation are those of the first frame; should a later one differ (a stream may
    change its size), it is scaled to fit.
    """

    def __init__(self, first: VideoFrame, aspect: Fraction | None) -> None:
        from av.video.reformatter import VideoReformatter

        self.orientation = _orientation(first)
        self.stored = _square_size(first.width, first.height, aspect)
        self.width, self.height = self.orientation.shown_size(*self.stored)
        self.transfer = _TRANSFERS.get(first.color_trc)
        self._reformatter = VideoReformatter()

    def develop(self, frame: VideoFrame) -> Picture:
        """``[H, W, 3]`` uint8 RGB, upright, in an array of its own."""
        from av.video.reformatter import Interpolation

        width, height = self.stored
        kernel = (
            Interpolation.BILINEAR if (frame.width, frame.height) == self.stored else Interpolation.BICUBIC
        )
        # Without these two flags swscale takes a short cut that darkens every picture by one to two levels.
        exact = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
        matrix = frame.colorspace
        if matrix == _UNSPECIFIED_MATRIX:
            # The custom of players: untagged high definition is BT.709, untagged small video is BT.601.
            matrix = _BT709 if frame.width >= 1280 or frame.height > 576 else _BT601
        rgb = self._reformatter.reformat(
            frame, width, height, "rgb24", src_colorspace=matrix, interpolation=kernel | exact
        )
        return self.orientation.apply(rgb.to_ndarray())


def _orientation(frame: VideoFrame) -> Orientation:
    from av.sidedata.sidedata import Type

    matrix = frame.side_data.get(Type.DISPLAYMATRIX)
    return orientation_from_matrix(bytes(matrix)) if matrix is not None else Orientation()


def _square_size(width: int, height: int, aspect: Fraction | None) -> tuple[int, int]:
    """The size with square pixels; the short side of a pixel is stretched, so nothing is thrown away."""
    if not aspect or aspect <= 0 or abs(aspect - 1) < SQUARE_ENOUGH:
        return width, height
    if aspect > 1:
        return round(width * aspect), height
    return width, round(height / aspect)
