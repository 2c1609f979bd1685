"""From decoded frames to upright RGB pictures."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from studio.media.hdr import ToneMapper, wide_colour
from studio.media.orientation import Orientation, orientation_from_matrix

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter

Picture = npt.NDArray[np.uint8]
"""``[H, W, 3]`` RGB."""

SQUARE_ENOUGH = Fraction(1, 100)
"""Pixels whose sides differ by less than this share count as square: rescaling would only blur."""

# H.273 matrix coefficients, as FFmpeg numbers them.
_UNSPECIFIED, _BT709, _BT601, _BT2020 = 2, 1, 5, 9


class Developer:
    """Turns the frames of one stream into pictures of one size.

    The size and the orientation are those of the first frame; should a later one differ (a stream may
    change its size), it is scaled to fit. HDR and wide gamut become SDR BT.709, see `studio.media.hdr`.
    """

    def __init__(self, first: VideoFrame, aspect: Fraction | None) -> None:
        from av.video.reformatter import VideoReformatter

        self.orientation = _orientation(first)
        self.stored = _square_size(first.width, first.height, aspect)
        self.width, self.height = self.orientation.shown_size(*self.stored)
        self.colour = wide_colour(first.color_trc, first.color_primaries)
        self._mapper = ToneMapper(self.colour, *self.stored) if self.colour else None
        self._to_wide, self._to_rgb = VideoReformatter(), VideoReformatter()

    def develop(self, frame: VideoFrame) -> Picture:
        """``[H, W, 3]`` uint8 RGB, upright, in an array of its own."""
        if self._mapper is not None:
            frame = self._mapper.map(self._convert(self._to_wide, frame, self._mapper.PIXELS))
        return self.orientation.apply(self._convert(self._to_rgb, frame, "rgb24").to_ndarray())

    def _convert(self, reformatter: VideoReformatter, frame: VideoFrame, pixels: str) -> VideoFrame:
        from av.video.reformatter import Interpolation

        same = (frame.width, frame.height) == self.stored
        kernel = Interpolation.BILINEAR if same else Interpolation.BICUBIC
        # Without these two flags swscale takes a short cut that darkens every picture by one to two levels.
        exact = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
        matrix = frame.colorspace
        if matrix == _UNSPECIFIED:
            matrix = self._likely_matrix(frame)
        return reformatter.reformat(
            frame, *self.stored, pixels, src_colorspace=matrix, interpolation=kernel | exact
        )

    def _likely_matrix(self, frame: VideoFrame) -> int:
        """The custom of players for untagged video: BT.709 in high definition, else BT.601."""
        if self.colour is not None and self.colour.hdr:
            return _BT2020
        return _BT709 if frame.width >= 1280 or frame.height > 576 else _BT601


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
