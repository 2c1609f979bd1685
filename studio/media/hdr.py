"""High dynamic range and wide gamut to the SDR BT.709 that everything else here works on.

The map is display-referred, so that a picture looks as it did on the phone: light on an HDR screen, in
units of reference white (203 cd/m², ITU-R BT.2408), becomes light on an SDR screen. Middle grey and skin
lie on the linear part and keep their brightness (18 % grey, 26 cd/m² in HDR, lands within 2 % of its SDR
code); above about 90 cd/m² a smooth shoulder makes room for highlights up to 1000 cd/m². The shoulder acts
on the largest component and scales the three alike, so that hue and saturation of bright skin stay.

FFmpeg's zscale is not in the library that decodes here, and its tonemap filter knows neither HLG's system
gamma nor reference white; hence this table, applied by FFmpeg's lut3d filter.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

Floats = npt.NDArray[np.float64]
Transfer = Literal["hlg", "pq", "sdr"]

REFERENCE_WHITE = 203.0
"""cd/m² of diffuse white in HDR (BT.2408), shown as SDR white before the shoulder."""
PEAK = 1000.0
"""cd/m² of the brightest highlight that is kept apart from white; HLG's nominal peak."""

BT2020_TO_BT709 = np.array(
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]]
)
"""Linear light, ITU-R BT.2087."""
P3_TO_BT709 = np.array(
    [[1.224940, -0.224940, 0.0], [-0.042057, 1.042057, 0.0], [-0.019638, -0.078636, 1.098274]]
)
"""Linear light, Display P3 (D65) to BT.709."""
_BT2020, _P3 = 9, 12  # H.273 colour primaries
_TRANSFERS: dict[int, Transfer] = {16: "pq", 18: "hlg"}  # H.273 transfer characteristics
_LUMA = np.array([0.2126, 0.7152, 0.0722])


@dataclass(frozen=True)
class WideColour:
    """What a frame's colours mean where that is not plain SDR BT.709."""

    transfer: Transfer
    """Transfer function of the coded values."""
    p3: bool = False
    """Display P3 primaries rather than BT.2020."""

    @property
    def hdr(self) -> bool:
        """Brighter than SDR white, not only wider in gamut."""
        return self.transfer != "sdr"


def wide_colour(transfer: int, primaries: int) -> WideColour | None:
    """From a frame's H.273 code points; None for plain SDR."""
    if transfer in _TRANSFERS:
        return WideColour(_TRANSFERS[transfer], primaries == _P3)
    return WideColour("sdr", primaries == _P3) if primaries in (_BT2020, _P3) else None


def to_sdr(coded: npt.NDArray[np.floating], colour: WideColour) -> Floats:
    """Coded R'G'B' ``[..., 3]`` in 0..1 to BT.709 R'G'B' in 0..1 (BT.1886, gamma 2.4)."""
    coded = np.clip(np.asarray(coded, np.float64), 0.0, 1.0)
    light = _TO_LIGHT[colour.transfer](coded) @ (P3_TO_BT709 if colour.p3 else BT2020_TO_BT709).T
    light = _into_gamut(light)
    if colour.hdr:
        largest = light.max(-1, keepdims=True)
        light = light * shoulder(largest) / np.maximum(largest, 1e-9)
    return np.asarray(np.clip(light, 0.0, 1.0) ** (1 / 2.4))


def _hlg_light(coded: Floats) -> Floats:
    """ITU-R BT.2100: inverse OETF, then the OOTF of a 1000 cd/m² screen; 1 is reference white."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(coded <= 0.5, coded**2 / 3, (np.exp((coded - c) / a) + b) / 12)
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593])
    return np.asarray(PEAK / REFERENCE_WHITE * scene * luminance[..., None] ** 0.2)


_M1, _M2, _C1, _C2, _C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128


def _pq_light(coded: Floats) -> Floats:
    """SMPTE ST 2084; 1 is reference white."""
    power = coded ** (1 / _M2)
    light: Floats = (np.maximum(power - _C1, 0) / (_C2 - _C3 * power)) ** (1 / _M1)
    return light * (10000 / REFERENCE_WHITE)


def _pq_code(light: Floats) -> Floats:
    power = (light * (REFERENCE_WHITE / 10000)) ** _M1
    return np.asarray(((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2)


def _sdr_light(coded: Floats) -> Floats:
    return np.asarray(coded**2.4)


_TO_LIGHT = {"hlg": _hlg_light, "pq": _pq_light, "sdr": _sdr_light}


def shoulder(light: npt.NDArray[np.floating]) -> Floats:
    """HDR light to SDR light, both 1 at their white: the EETF of ITU-R BT.2390 (5.4.1) from 1000 to 203
    cd/m², a straight line up to its knee and a Hermite spline in the PQ domain above."""
    ends = _pq_code(np.array([PEAK / REFERENCE_WHITE, 1.0]))
    top = ends[1] / ends[0]
    knee = 1.5 * top - 0.5
    code = np.minimum(_pq_code(np.asarray(light, np.float64)) / ends[0], 1.0)
    t = np.maximum((code - knee) / (1 - knee), 0.0)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * top
    )
    return _pq_light(np.where(code < knee, code, spline) * ends[0])


def _into_gamut(light: Floats) -> Floats:
    """Colours that BT.709 lacks fade towards grey of their own luminance until no component is negative."""
    grey = np.maximum(light @ _LUMA, 0.0)[..., None]
    lowest = light.min(-1, keepdims=True)
    share = np.where(lowest < 0, grey / np.maximum(grey - lowest, 1e-12), 1.0)
    return np.asarray(np.maximum(grey + (light - grey) * share, 0.0))


TABLE_SIZE = 65
"""Grid points along each axis of the table."""


@lru_cache(maxsize=4)
def _cube(colour: WideColour) -> str:
    """The map as a .cube file: red runs fastest."""
    axis = np.linspace(0.0, 1.0, TABLE_SIZE)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    values = to_sdr(np.stack([red, green, blue], -1), colour).reshape(-1, 3)
    rows = "\n".join(f"{r:.5f} {g:.5f} {b:.5f}" for r, g, b in values.tolist())
    return f"LUT_3D_SIZE {TABLE_SIZE}\n{rows}\n"


class ToneMapper:
    """Applies `to_sdr` to frames of one size through a filter graph."""

    PIXELS = "gbrp16le"
    """Pixel format that goes in and comes out; the one for which lut3d is several times faster."""

    def __init__(self, colour: WideColour, width: int, height: int) -> None:
        from fractions import Fraction

        from av.filter import Graph
        from av.video.format import VideoFormat

        self._graph = Graph()
        source = self._graph.add_buffer(
            width=width,
            height=height,
            format=VideoFormat(self.PIXELS, width, height),
            time_base=Fraction(1, 1000),
        )
        with tempfile.TemporaryDirectory() as folder:
            cube = Path(folder) / "to_sdr.cube"
            cube.write_text(_cube(colour), encoding="ascii")
            table = self._graph.add("lut3d", file=str(cube), interp="tetrahedral")
        sink = self._graph.add("buffersink")
        self._graph.link_nodes(source, table, sink).configure()

    def map(self, frame: VideoFrame) -> VideoFrame:
        """The frame in SDR."""
        self._graph.vpush(frame)
        return self._graph.vpull()
