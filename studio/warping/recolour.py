"""Regions recoloured and the person relit, in one pass over a finished picture.

Whatever engine drew the picture, its pixels lie on the person's mesh, which is rasterised once: from there
come the region masks of :mod:`studio.warping.region_masks` and the light of :mod:`studio.warping.relight`. A
pixel at the person's outline is first freed of the background behind it, changed, and laid over it again: no
rim of the old colour remains. Coverage stays as it is, and what the person does not cover stays bit for bit.

A shift in Lab is added as another pigment would show under the same light (:mod:`studio.warping.pigment`):
it gets weaker in shadow as colours do when light fades, and under gloss, which is light that never met the
pigment. On the region's average it is the shift that was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats, Similarity
from studio.domain.controls import ControlState
from studio.domain.edits import EditStack, Recolour, Region, Relight
from studio.domain.motion import HeadMotion
from studio.head.rasterise import Visibility, rasterise
from studio.warping.colour_classes import CELLS
from studio.warping.face_chart import SIDE
from studio.warping.lab import EPSILON, IN, KAPPA, LIGHT, OUT, srgb_from_lab
from studio.warping.mesh import PersonMesh
from studio.warping.pigment import LEVELS, STEEP, hidden, response
from studio.warping.region_masks import (
    BESIDE_IRIS,
    BESIDE_LIPS,
    IRIS_REACH,
    LEAST_OTHER,
    PUPIL,
    RegionMaps,
)
from studio.warping.region_places import irises_at
from studio.warping.relight import Light, Normals, brightness, gains

if TYPE_CHECKING:
    from studio.warping.parts import WarpParts

Picture = npt.NDArray[np.uint8]
REGIONS: tuple[Region, ...] = ("skin", "hair", "lips", "eyes", "person")
"""Order of regions in tables."""
DISTINCT = 50.0
"""Levels of 0..255 by which what is behind must differ from hair or skin to tell how much of it shows."""
HARDLY, OPAQUE = 0.01, 0.995
"""Coverage below which a pixel stays as it is, and from which it is the person's alone."""
LEAST_SHIFTED = 0.002
"""Share of a region in a pixel from which it is recoloured."""
DOUBT = 4.0
"""How fast the colour is believed instead of the coverage where that falls below 1."""
ONE, LANE, TWO_LANES = np.uint64(1), np.uint64(21), np.uint64(42)
"""Unsigned, because signed indices cost a test for negatives each."""
LANE_MASK = np.uint64((1 << 21) - 1)
"""Three classes share one word, 21 bits each: 8 of a byte and 12 of a trilinear weight."""
SEARCHED, ASIDE = 1.7, 0.8
"""Radii around an iris within which its colour is looked for, and by which it may lie aside; half as much and
less up and down, where lids cover it."""
WEIGHTS = np.array([LEAST_OTHER, BESIDE_LIPS, BESIDE_IRIS, *PUPIL, *IRIS_REACH], np.float32)
"""Of :mod:`studio.warping.region_masks`, for the loop, which gets the person's ``shared`` behind them: as an
argument, because compiled code on disk does not know when another module changes."""
NO_IRISES = np.zeros((2, 7), np.float32)
"""Where nobody asks for them."""
FINE, KEPT = 0.25, 512
"""Steps of L by which responses differ, and how many of them are kept: a table of one step lighter is the
same to a thousandth."""
LOW = np.uint32(0x00FF00FF)
"""Two of four bytes in one word."""


@dataclass(frozen=True)
class Behind:
    """The background behind the person."""

    plate: Picture
    """``[H', W', 3]``."""
    to_plate: Similarity
    """Pixels of the picture to those of the plate."""


@dataclass(frozen=True)
class Drawn:
    """A finished picture and what it shows of whom."""

    image: Picture
    """``[H, W, 3]`` RGB."""
    cover: Picture | None
    """``[H, W]`` how much of each pixel the person covers; None where it is not known."""
    behind: Behind | None
    """What is behind the person, where it is known."""
    points: Floats
    """``[V, 3]`` the person's vertices in pixels, z larger is nearer."""
    motion: HeadMotion
    """Parameters of the one frame."""
    seen: Visibility | None = None
    """What is seen of the mesh at each pixel; None where it was not rasterised yet."""


class Recolourer:
    """Recolours and relights pictures of one person by the edits of a stack that do so."""

    def __init__(self, parts: WarpParts, edits: EditStack) -> None:
        """Learns the person's regions, where an edit needs them: a second or so."""
        self._mesh, self._edits = parts.mesh, edits
        self._recolours, self._relights = edits.of(Recolour), edits.of(Relight)
        self._tables: _Tables | None = None
        if self._recolours or self._relights:
            from studio.warping.region_colours import region_statistics
            from studio.warping.region_masks import learn_regions

            maps = learn_regions(parts)
            measured = region_statistics(parts, maps)
            self._normals = Normals(parts.mesh)
            self._lightness = np.stack([measured[region].lightness for region in REGIONS])
            self._lab = np.stack([measured[region].lab for region in REGIONS])
            self._usual = np.asarray(255.0 * srgb_from_lab(self._lab[:2]), np.float32)
            self._tables = _Tables.pack(maps, parts.mesh)
            self._weights = np.append(WEIGHTS, np.float32(maps.shared)).astype(np.float32)
            self._responses = np.ones((len(REGIONS), LEVELS, 3), np.float32)
            self._known: dict[tuple[int, int], Floats] = {}

    def changes(self, state: ControlState) -> bool:
        """Whether anything is recoloured or relit in a state."""
        strengths = self._edits.strengths(state)
        return bool(strengths[[*self._recolours, *self._relights]].any())

    def apply(self, state: ControlState, drawn: Drawn) -> Picture:
        """The picture as the state's edits have it: another array, or the very same one where none shows."""
        strengths = self._edits.strengths(state)
        shift = np.zeros((len(REGIONS), 3), np.float32)
        for k in self._recolours:
            effect = self._edits.edits[k].effect
            assert isinstance(effect, Recolour)
            shift[REGIONS.index(effect.region)] += strengths[k] * np.array(effect.shift, np.float32)
        lights = [
            Light(effect, float(strengths[k]))
            for k in self._relights
            if strengths[k] and isinstance(effect := self._edits.edits[k].effect, Relight)
        ]
        tables = self._tables
        if tables is None or not (shift.any() or lights):
            return drawn.image
        mesh = self._mesh
        gain = np.zeros((0, 3, 3), np.float32)
        if lights:
            factors = brightness(self._normals.at(drawn.points, drawn.motion), lights)
            colourless = all(min(light.effect.tint) == max(light.effect.tint) for light in lights)
            gain = gains(factors, mesh.triangles, colourless)
        height, width = drawn.image.shape[:2]
        seen = drawn.seen or rasterise(drawn.points, mesh.triangles, width, height)
        spans = np.empty((height, 2), np.int32)
        spans[:] = 0, width
        active = shift.any(1)
        for r in np.flatnonzero(active):
            self._responses[r] = self._response(r, float(shift[r, 0]))
        hides = np.zeros(len(REGIONS), np.float32)
        for r in np.flatnonzero(active):
            hides[r] = hidden(self._lab[r], shift[r], REGIONS[r])
        nothing = np.zeros((1, 0), np.uint8)
        behind, matrix = np.zeros((0, 0, 3), np.uint8), np.zeros((2, 3), np.float32)
        if drawn.behind is not None and drawn.cover is not None:
            behind, matrix = drawn.behind.plate, drawn.behind.to_plate.matrix
        image, irises = np.ascontiguousarray(drawn.image), NO_IRISES
        if shift[REGIONS.index("eyes")].any():
            irises = irises_at(drawn.points)
            _settle(
                *(image, seen.triangle, seen.weights, tables.chart, tables.expected, SIDE),
                *(tables.typical[2], CELLS, self._weights, irises),
            )
        wanted = sum(255 << 8 * r for r in range(4) if active[r])
        if not (lights or active[REGIONS.index("person")]):
            near = (tables.reach & np.uint32(wanted)) != 0
            _span(np.ascontiguousarray(drawn.points, np.float32), mesh.triangles, near, spans)
        out = image.copy()
        _recolour(
            *(image, nothing if drawn.cover is None else drawn.cover, spans),
            *(seen.triangle, seen.weights, tables.chart, tables.reach),
            *(tables.expected, tables.person, tables.typical),
            *(SIDE, CELLS, self._weights),
            *(irises, shift, self._responses, active),
            *(hides, self._lab, self._usual),
            *(gain, behind, matrix, LIGHT, IN, OUT, numba.get_num_threads(), out),
        )
        return out

    def _response(self, region: int, shift: float) -> Floats:
        """The response to about a shift, kept: while a strength moves, it moves by little."""
        step = round(shift / FINE)
        if (region, step) not in self._known:
            if len(self._known) >= KEPT:
                self._known.clear()
            found = response(self._lightness[region], step * FINE, STEEP[REGIONS[region]])
            self._known[region, step] = found
        return self._known[region, step]


@dataclass(frozen=True)
class _Tables:
    """What the loop reads."""

    chart: Floats
    """``[F, 6]``, see :meth:`FaceChart.triangle_table`."""
    reach: npt.NDArray[np.uint32]
    """``[F]`` in each byte more than 0 where any place of a triangle may be of that region, in the
    order of ``expected``; what is nowhere near is not looked up."""
    expected: npt.NDArray[np.uint32]
    """``[(SIDE + 1)²]`` skin in the lowest byte, then hair, lips, eyes; last row and column twice."""
    person: Picture
    """``[(SIDE + 1)²]`` how much of each place the person covers, in 255ths."""
    typical: npt.NDArray[np.uint64]
    """``[3, (CELLS + 1)³]`` skin, hair, other; lips, mouth; iris, lids: in lanes of 21 bits."""

    @staticmethod
    def pack(maps: RegionMaps, mesh: PersonMesh) -> _Tables:
        e, t = maps.expected, maps.typical
        places = e.skin.astype(np.uint32)
        for k, more in enumerate((e.hair, e.lips, e.eyes)):
            places |= more.astype(np.uint32) << np.uint32(8 * k + 8)
        words = []
        for classes in ((t.skin, t.hair, t.other), (t.lips, t.mouth), (t.iris, t.lids)):
            word = np.zeros(CELLS**3, np.uint64)
            for lane, one in enumerate(classes):
                word |= one.astype(np.uint64) << (np.uint64(lane) * LANE)
            words.append(np.pad(word.reshape(CELLS, CELLS, CELLS), ((0, 1),) * 3, mode="edge").ravel())
        chart = maps.chart.triangle_table(mesh.triangles)
        return _Tables(
            chart,
            _reach(chart, places),
            np.ascontiguousarray(np.pad(places, ((0, 1), (0, 1)), mode="edge").ravel()),
            np.ascontiguousarray(np.pad(e.person, ((0, 1), (0, 1)), mode="edge").ravel()),
            np.ascontiguousarray(np.stack(words)),
        )


def _reach(chart: Floats, places: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """What is expected anywhere in the boxes around triangles, and at the places beside them, which are read
    between; see :class:`_Tables`."""
    last = np.float32(len(places) - 1)
    corners = np.stack([chart[:, [0, 3]] + turn for turn in (0.0, chart[:, [1, 4]], chart[:, [2, 5]])])
    low = np.floor(np.clip(corners.min(0) - 1.0, 0.0, last)).astype(int)
    high = np.ceil(np.clip(corners.max(0) + 1.0, 0.0, last)).astype(int) + 1
    boxes = zip(low.tolist(), high.tolist(), strict=True)
    found = [np.bitwise_or.reduce(places[b:d, a:c], axis=None) for (a, b), (c, d) in boxes]
    return np.array(found, np.uint32)


_LOOP: dict[str, Any] = {"cache": True, "nogil": True, "fastmath": True, "error_model": "numpy"}
"""Of loops over pixels. Python's errors of division would keep them from becoming vector instructions."""


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _likely(table: Any, cells: Any, red: Any, green: Any, blue: Any) -> Any:
    """Three lanes of 20 bits, of 4096 times 255 each, at a colour of three bytes, between eight cells.

    A byte v lies at ``(2 v - 7) / 16`` cells from the first one's middle, so four bits of it are exact."""
    seven, fifteen, sixteen = np.int32(7), np.int32(15), np.int32(16)
    pr = max(np.int32(red) * np.int32(2) - seven, np.int32(0))
    pg = max(np.int32(green) * np.int32(2) - seven, np.int32(0))
    pb = max(np.int32(blue) * np.int32(2) - seven, np.int32(0))
    fr, fg, fb = pr & fifteen, pg & fifteen, pb & fifteen
    row = np.int32(cells + 1)
    at = np.uint64(np.uint32(((pr >> np.int32(4)) * row + (pg >> np.int32(4))) * row + (pb >> np.int32(4))))
    down, back = np.uint64(row), at + np.uint64(row * row)
    b1, b0 = np.uint64(np.uint32(fb)), np.uint64(np.uint32(sixteen - fb))
    total = np.uint64(np.uint32((sixteen - fr) * (sixteen - fg))) * (b0 * table[at] + b1 * table[at + ONE])
    total += np.uint64(np.uint32((sixteen - fr) * fg)) * (b0 * table[at + down] + b1 * table[at + down + ONE])
    total += np.uint64(np.uint32(fr * (sixteen - fg))) * (b0 * table[back] + b1 * table[back + ONE])
    total += np.uint64(np.uint32(fr * fg)) * (b0 * table[back + down] + b1 * table[back + down + ONE])
    return total


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _lane(total: Any, lane: Any) -> Any:
    """One class of :func:`_likely`, 0..1."""
    part = np.uint32((total >> lane) & LANE_MASK)
    return np.float32(np.int32(part)) * np.float32(1.0 / (4096.0 * 255.0))


@numba.njit(inline="always", fastmath=True)  # type: ignore[untyped-decorator]
def _byte(value: Any) -> Any:
    """Rounded and kept within 0..255."""
    return np.uint8(min(max(value + np.float32(0.5), np.float32(0.0)), np.float32(255.0)))


@numba.njit(inline="always", fastmath=True)  # type: ignore[untyped-decorator]
def _iris(irises: Any, reach: Any, x: Any, y: Any) -> Any:
    """How much of an iris is here; see :func:`region_masks.iris_reach`."""
    nearest, seen = np.float32(1e12), np.float32(0.0)
    for eye in range(2):
        u = irises[eye, 0] * x + irises[eye, 1] * y + irises[eye, 2]
        v = irises[eye, 3] * x + irises[eye, 4] * y + irises[eye, 5]
        if u * u + v * v < nearest:
            nearest, seen = u * u + v * v, irises[eye, 6]
    radius = np.sqrt(nearest)
    inner = min(max((radius - reach[0]) / (reach[1] - reach[0]), np.float32(0.0)), np.float32(1.0))
    outer = min(max((reach[3] - radius) / (reach[3] - reach[2]), np.float32(0.0)), np.float32(1.0))
    smooth = seen * inner * inner * (np.float32(3.0) - np.float32(2.0) * inner)
    return smooth * outer * outer * (np.float32(3.0) - np.float32(2.0) * outer)


@numba.njit(**_LOOP)  # type: ignore[untyped-decorator]
def _settle(
    image: Any,
    triangle: Any,
    weights: Any,
    chart: Any,
    expected: Any,
    side: int,
    table: Any,
    cells: int,
    trusts: Any,
    irises: Any,
) -> None:
    """Move each iris to where its colour is: eyes squint and cross where the head model's look together."""
    height, width = triangle.shape
    half, reach, none = np.float32(0.5), np.float32(SEARCHED), np.float32(0.0)
    for eye in range(2):
        disc = irises[eye]
        area = disc[0] * disc[4] - disc[1] * disc[3]
        if area == none or disc[6] == none:
            continue
        cx = (disc[1] * disc[5] - disc[4] * disc[2]) / area
        cy = (disc[3] * disc[2] - disc[0] * disc[5]) / area
        wide = reach * (abs(disc[1]) + abs(disc[4])) / abs(area)
        tall = reach * (abs(disc[0]) + abs(disc[3])) / abs(area)
        moved_u = moved_v = none
        for _ in range(2):
            total = sum_u = sum_v = none
            for y in range(max(0, int(cy - tall)), min(height, int(cy + tall) + 1)):
                for x in range(max(0, int(cx - wide)), min(width, int(cx + wide) + 1)):
                    if triangle[y, x] < 0:
                        continue
                    px, py = np.float32(x) + half, np.float32(y) + half
                    u = disc[0] * px + disc[1] * py + disc[2] - moved_u
                    v = disc[3] * px + disc[4] * py + disc[5] - moved_v
                    far = reach - np.sqrt(u * u + v * v)
                    if far <= none:
                        continue
                    t = np.uint64(np.uint32(triangle[y, x]))
                    corner, a, b = chart[t], weights[y, x, 0], weights[y, x, 1]
                    at_x = np.uint32(np.int32(corner[0] + a * corner[1] + b * corner[2]))
                    at_y = np.uint32(np.int32(corner[3] + a * corner[4] + b * corner[5]))
                    if at_x >= np.uint32(side) or at_y >= np.uint32(side):
                        continue
                    open_ = expected[np.uint64(at_y) * np.uint64(side + 1) + np.uint64(at_x)] >> np.uint32(24)
                    like = _likely(table, cells, image[y, x, 0], image[y, x, 1], image[y, x, 2])
                    iris = _lane(like, np.uint64(0))
                    iris /= iris + trusts[2] * _lane(like, LANE)
                    amount = (
                        np.float32(np.int32(open_))
                        * np.float32(1 / 255)
                        * iris
                        * min(far * np.float32(2.0), np.float32(1.0))
                    )
                    total += amount
                    sum_u += amount * u
                    sum_v += amount * v
            # A disc has an area of pi in its own radii; of a closed eye's there is nothing to go by.
            seen = total * abs(area) / np.float32(np.pi)
            if seen < np.float32(0.02):
                break
            sure = min(seen * np.float32(2.0), np.float32(1.0))
            moved_u = min(max(moved_u + sure * sum_u / total, -np.float32(ASIDE)), np.float32(ASIDE))
            moved_v = min(max(moved_v + sure * sum_v / total * half, -half * half), half * half)
        disc[2] -= moved_u
        disc[5] -= moved_v


# A row is changed in several plain loops: those that only calculate become vector instructions, which one
# loop with scattered reads in it does not. They run over lists of columns: those that may change, and those
# of them whose pigment does.


@numba.njit(**_LOOP)  # type: ignore[untyped-decorator]
def _find(
    covers: bool,
    cover: Any,
    span: Any,
    triangle: Any,
    weights: Any,
    chart: Any,
    reach: Any,
    expected: Any,
    person: Any,
    side: int,
    wanted: Any,
    everywhere: bool,
    gain: Any,
    at: Any,
    words: Any,
    share: Any,
    gains: Any,
) -> int:
    """Columns of a row in which anything may change: what is expected there, how much of the pixel is the
    person's, and how much brighter it gets. Returns how many there are."""
    none, half, unit, one = np.float32(0.0), np.float32(0.5), np.float32(1.0 / 255.0), np.float32(1.0)
    most, fine, hardly = np.float32(side - 1), np.float32(16.0), np.float32(HARDLY)
    eight, sixteen, whole = np.uint32(8), np.uint32(16), np.uint32(256)
    row, nothing = np.uint64(side + 1), np.uint32(0)
    channels = gain.shape[1] if gain.size > 0 else 0
    count = 0
    for x in range(span[0], span[1]):
        if triangle[x] < 0:
            continue
        t = np.uint64(np.uint32(triangle[x]))
        near = (reach[t] & wanted) != nothing
        if not near and not everywhere:
            continue
        shown = np.float32(cover[x]) * unit if covers else one
        if shown < hardly:
            continue
        u, v = weights[x, 0], weights[x, 1]
        even = odd = nothing
        if near or not covers:
            corner = chart[t]
            px = corner[0] + u * corner[1] + v * corner[2] - half
            py = corner[3] + u * corner[4] + v * corner[5] - half
            px, py = min(max(px, none), most), min(max(py, none), most)
            x0, y0 = np.int32(px), np.int32(py)
            texel = np.uint64(np.uint32(y0)) * row + np.uint64(np.uint32(x0))
            if not covers:
                shown = np.float32(person[texel]) * unit
                if shown < hardly:
                    continue
            ta, tb = expected[texel], expected[texel + ONE]
            tc, td = expected[texel + row], expected[texel + row + ONE]
            if ((ta | tb | tc | td) & wanted) != nothing:
                fx = np.uint32(np.int32((px - np.float32(x0)) * fine + half))
                fy = np.uint32(np.int32((py - np.float32(y0)) * fine + half))
                wb, wc, wd = fx * (sixteen - fy), (sixteen - fx) * fy, fx * fy
                wa = whole - wb - wc - wd
                even = wa * (ta & LOW) + wb * (tb & LOW) + wc * (tc & LOW) + wd * (td & LOW)
                odd = wa * ((ta >> eight) & LOW) + wb * ((tb >> eight) & LOW)
                odd += wc * ((tc >> eight) & LOW) + wd * ((td >> eight) & LOW)
            elif not everywhere:
                continue
        for c in range(channels):
            gains[c, count] = gain[t, c, 0] + u * gain[t, c, 1] + v * gain[t, c, 2]
        at[count] = x
        words[0, count], words[1, count] = even, odd
        share[count] = shown
        count += 1
    return count


@numba.njit(**_LOOP)  # type: ignore[untyped-decorator]
def _unmix(
    count: int, y: int, at: Any, words: Any, usual: Any, plate: Any, matrix: Any, pixels: Any, share: Any
) -> None:
    """Take away what is behind the person where the outline is soft.

    Where the outline is wider than the person, the colour says so: it lies between that of what is behind and
    the usual one of what is expected here."""
    none, half, one = np.float32(0.0), np.float32(0.5), np.float32(1.0)
    low, most = np.uint32(0xFFFF), np.float32(255.0)
    for i in range(count):
        shown = share[i]
        if shown > np.float32(OPAQUE):
            continue
        px, py = np.float32(at[i]) + half, np.float32(y) + half
        bx = matrix[0, 0] * px + matrix[0, 1] * py + matrix[0, 2] - half
        by = matrix[1, 0] * px + matrix[1, 1] * py + matrix[1, 2] - half
        bx = min(max(bx, none), np.float32(plate.shape[1] - 1.001))
        by = min(max(by, none), np.float32(plate.shape[0] - 1.001))
        x0, y0 = np.int32(bx), np.int32(by)
        gx, gy = bx - np.float32(x0), by - np.float32(y0)
        kind = 1 if (words[1, i] & low) > (words[0, i] & low) else 0
        along = across = behind0 = behind1 = behind2 = none
        for c in range(3):
            above = plate[y0, x0, c] + gx * (np.float32(plate[y0, x0 + 1, c]) - plate[y0, x0, c])
            below = plate[y0 + 1, x0, c] + gx * (np.float32(plate[y0 + 1, x0 + 1, c]) - plate[y0 + 1, x0, c])
            behind = above + gy * (below - above)
            away = usual[kind, c] - behind
            along += (np.float32(np.int32(pixels[c, i])) - behind) * away
            across += away * away
            if c == 0:
                behind0 = behind
            elif c == 1:
                behind1 = behind
            else:
                behind2 = behind
        if across > np.float32(DISTINCT * DISTINCT):
            told = min(shown, max(along / across, np.float32(HARDLY)))
            shown += min((one - shown) * np.float32(DOUBT), one) * (told - shown)
        whole = one / shown
        rest = one - whole
        share[i] = shown
        red = np.float32(np.int32(pixels[0, i])) * whole + rest * behind0 + half
        green = np.float32(np.int32(pixels[1, i])) * whole + rest * behind1 + half
        blue = np.float32(np.int32(pixels[2, i])) * whole + rest * behind2 + half
        pixels[0, i] = np.uint32(np.int32(min(max(red, none), most)))
        pixels[1, i] = np.uint32(np.int32(min(max(green, none), most)))
        pixels[2, i] = np.uint32(np.int32(min(max(blue, none), most)))


@numba.njit(**_LOOP)  # type: ignore[untyped-decorator]
def _look(
    count: int,
    y: int,
    at: Any,
    words: Any,
    active: Any,
    typical: Any,
    cells: int,
    trusts: Any,
    irises: Any,
    pixels: Any,
    sub: Any,
    regions: Any,
) -> int:
    """The regions' shares of the pixels of a row that have any, see :func:`region_masks.region_masks`, and
    which of the row's pixels those are. Returns how many."""
    none, half, one = np.float32(0.0), np.float32(0.5), np.float32(1.0)
    low, sixteen, lane, nothing = np.uint32(0xFFFF), np.uint32(16), np.uint64(0), np.uint32(0)
    scale, least = np.float32(1.0 / (256.0 * 255.0)), np.float32(LEAST_SHIFTED)
    by_both, all_of_it = active[0] or active[1], active[4]
    found = 0
    for i in range(count):
        even, odd = words[0, i], words[1, i]
        if (even | odd) == nothing and not all_of_it:
            continue
        skin, hair = np.float32(np.int32(even & low)) * scale, np.float32(np.int32(odd & low)) * scale
        lips = np.float32(np.int32(even >> sixteen)) * scale
        eyes = np.float32(np.int32(odd >> sixteen)) * scale
        m0 = m1 = m2 = m3 = none
        if (by_both and skin + hair > none) or (active[2] and lips > none):
            like = _likely(typical[0], cells, pixels[0, i], pixels[1, i], pixels[2, i])
            like_skin = _lane(like, lane)
            shared = min(trusts[7] * min(skin, hair), one) * (half * (hair - skin))
            m0, m1 = (skin + shared) * like_skin, (hair - shared) * _lane(like, LANE)
            other = max(one - skin - hair, trusts[0]) * _lane(like, TWO_LANES)
            whole = one / (m0 + m1 + other)
            m0 *= whole
            m1 *= whole
            if active[2] and lips > none:
                like = _likely(typical[1], cells, pixels[0, i], pixels[1, i], pixels[2, i])
                beside = (one - lips) * like_skin + trusts[1] * _lane(like, LANE)
                m2 = lips * _lane(like, lane)
                m2 /= m2 + beside
        if active[3] and eyes > none:
            m3 = eyes * _iris(irises, trusts[3:], np.float32(at[i]) + half, np.float32(y) + half)
            if m3 > none:
                like = _likely(typical[2], cells, pixels[0, i], pixels[1, i], pixels[2, i])
                iris = _lane(like, lane)
                m3 *= iris / (iris + trusts[2] * _lane(like, LANE))
        shifted = (active[0] and m0 > least) or (active[1] and m1 > least)
        if shifted or m2 > least or m3 > least or all_of_it:
            regions[0, found], regions[1, found] = m0, m1
            regions[2, found], regions[3, found] = m2, m3
            sub[found] = i
            found += 1
    return found


@numba.njit(inline="always", fastmath=True)  # type: ignore[untyped-decorator]
def _root(value: Any, guess: Any) -> Any:
    """Cube root by one step of Halley's method; a guess within a twentieth gives five digits."""
    cube = guess * guess * guess
    return guess * (cube + value + value) / (cube + cube + value)


@numba.njit(**_LOOP)  # type: ignore[untyped-decorator]
def _guess_roots(count: int, values: Any, guesses: Any) -> None:
    """Cube roots within a twentieth, of values above zero: a third of the exponent, in a float's bits."""
    bits, out = values.view(np.int32), guesses.view(np.int32)
    for i in range(count):
        out[i] = np.int32(np.float32(bits[i]) * np.float32(1.0 / 3.0)) + np.int32(709921077)


@numba.njit(**_LOOP)  # type: ignore[untyped-decorator]
def _to_lab(count: int, light: Any, into: Any, roots: Any, guess: Any) -> None:
    """Linear light to Lab's cube roots of X, Y, Z over white."""
    red, green, blue = light[0], light[1], light[2]
    for c in range(3):
        a, b, d = into[c, 0], into[c, 1], into[c, 2]
        row = roots[c]
        for i in range(count):
            row[i] = max(a * red[i] + b * green[i] + d * blue[i], np.float32(1e-6))
        _guess_roots(count, row, guess)
        for i in range(count):
            value = row[i]
            low = np.float32(KAPPA / 116.0) * value + np.float32(16.0 / 116.0)
            row[i] = _root(value, guess[i]) if value > np.float32(EPSILON) else low


@numba.njit(**_LOOP)  # type: ignore[untyped-decorator]
def _shifts(
    count: int,
    roots: Any,
    regions: Any,
    active: Any,
    shift: Any,
    response: Any,
    hides: Any,
    lab: Any,
    shifts: Any,
) -> None:
    """What is added to L, a and b, over regions."""
    none, one, half = np.float32(0.0), np.float32(1.0), np.float32(0.5)
    most_other, step = np.float32(0.9), np.float32((LEVELS - 1) / 100.0)
    top = np.float32(LEVELS - 1)
    lift, da, db = shifts[0], shifts[1], shifts[2]
    for i in range(count):
        lift[i] = da[i] = db[i] = none
    for r in range(5):
        if not active[r]:
            continue
        table, by_l, by_a, by_b = response[r], shift[r, 0], shift[r, 1], shift[r, 2]
        hide, usual_a, usual_b = hides[r], lab[r, 1], lab[r, 2]
        other = lab[1 - r] if r < 2 else lab[r]
        for i in range(count):
            own = np.float32(116.0) * roots[1, i] - np.float32(16.0)
            own_a = np.float32(500.0) * (roots[0, i] - roots[1, i])
            own_b = np.float32(200.0) * (roots[1, i] - roots[2, i])
            amount = regions[r, i] if r < 4 else one
            # Where hair and skin share a pixel, each is as light and as coloured as is left of it.
            if r < 2:
                rest = min(regions[1 - r, i], most_other)
                alone = one / (one - rest)
                own = (own - rest * other[0]) * alone
                own_a, own_b = (own_a - rest * other[1]) * alone, (own_b - rest * other[2]) * alone
            level = np.uint32(min(max(own * step + half, none), top))
            lift[i] += amount * table[level, 0] * by_l
            da[i] += amount * (table[level, 1] * by_a - hide * (own_a - table[level, 2] * usual_a))
            db[i] += amount * (table[level, 1] * by_b - hide * (own_b - table[level, 2] * usual_b))


@numba.njit(**_LOOP)  # type: ignore[untyped-decorator]
def _from_lab(count: int, roots: Any, shifts: Any, back: Any, light: Any) -> None:
    """Add the shifts, and back to linear light."""
    none = np.float32(0.0)
    edge, slope = np.float32(6.0 / 29.0), np.float32(116.0 / KAPPA)
    x, y, z = roots[0], roots[1], roots[2]
    dl, da, db = shifts[0], shifts[1], shifts[2]
    red, green, blue = light[0], light[1], light[2]
    for i in range(count):
        lift = dl[i] * np.float32(1.0 / 116.0)
        fx = x[i] + lift + da[i] * np.float32(1.0 / 500.0)
        fy = y[i] + lift
        fz = z[i] + lift - db[i] * np.float32(1.0 / 200.0)
        cx = fx * fx * fx if fx > edge else max(slope * fx - np.float32(16.0 / KAPPA), none)
        cy = fy * fy * fy if fy > edge else max(slope * fy - np.float32(16.0 / KAPPA), none)
        cz = fz * fz * fz if fz > edge else max(slope * fz - np.float32(16.0 / KAPPA), none)
        red[i] = max(back[0, 0] * cx + back[0, 1] * cy + back[0, 2] * cz, none)
        green[i] = max(back[1, 0] * cx + back[1, 1] * cy + back[1, 2] * cz, none)
        blue[i] = max(back[2, 0] * cx + back[2, 1] * cy + back[2, 2] * cz, none)


@numba.njit(**_LOOP)  # type: ignore[untyped-decorator]
def _to_srgb(count: int, row: Any, power: Any, guess: Any) -> None:
    """One channel of linear light to sRGB 0..255; ``x^(1/2.4)`` is the cube root of ``x x^(1/4)``."""
    one, least = np.float32(1.0), np.float32(1e-6)
    for i in range(count):
        value = min(max(row[i], least), one)
        power[i] = value * np.sqrt(np.sqrt(value))
    _guess_roots(count, power, guess)
    for i in range(count):
        high = np.float32(255.0 * 1.055) * _root(power[i], guess[i]) - np.float32(255.0 * 0.055)
        value = min(row[i], one)
        row[i] = high if value > np.float32(0.0031308) else np.float32(255.0 * 12.92) * value


@numba.njit(**_LOOP)  # type: ignore[untyped-decorator]
def _relight(count: int, row: Any, gain: Any) -> None:
    """One channel of sRGB 0..255 as light ``gain^2.4`` times as strong shows it.

    sRGB but for its darkest is ``1.055 x^(1/2.4) - 0.055``, so light need not be calculated; the darkest is
    proportional to light. What gets lighter comes to white ever more slowly: ``x``, the power, becomes
    ``g x / (1 + (g - 1) x⁶)``."""
    one, offset = np.float32(1.0), np.float32(255.0 * 0.055)
    into = np.float32(1.0 / (255.0 * 1.055))
    for i in range(count):
        g = gain[i]
        x = (row[i] + offset) * into
        square = x * x
        more = max(g - one, np.float32(0.0))
        changed = x * g / (one + more * square * square * square) * np.float32(255.0 * 1.055) - offset
        # The darkest: g^2.4, near 1.
        straight = row[i] * g * g * (one + np.float32(0.4) * (g - one))
        row[i] = min(changed, straight) if g > one else max(changed, straight)


@numba.njit(**_LOOP)  # type: ignore[untyped-decorator]
def _lay(count: int, at: Any, colours: Any, pixels: Any, share: Any, image: Any, out: Any) -> None:
    """The person's new colours over the picture."""
    for i in range(count):
        x, part = at[i], share[i]
        red, green, blue = colours[0, i], colours[1, i], colours[2, i]
        if part <= np.float32(OPAQUE):
            red = np.float32(image[x, 0]) + part * (red - np.float32(np.int32(pixels[0, i])))
            green = np.float32(image[x, 1]) + part * (green - np.float32(np.int32(pixels[1, i])))
            blue = np.float32(image[x, 2]) + part * (blue - np.float32(np.int32(pixels[2, i])))
        out[x, 0], out[x, 1], out[x, 2] = _byte(red), _byte(green), _byte(blue)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _span(points: Any, triangles: Any, near: Any, spans: Any) -> None:
    """First column, and one past the last, of each row in which any triangle that is near may be seen."""
    height, width = len(spans), spans[0, 1]
    for y in range(height):
        spans[y, 0], spans[y, 1] = width, 0
    for t in range(len(triangles)):
        if not near[t]:
            continue
        a, b, c = points[triangles[t, 0]], points[triangles[t, 1]], points[triangles[t, 2]]
        left, right = min(a[0], b[0], c[0]), max(a[0], b[0], c[0])
        top, bottom = min(a[1], b[1], c[1]), max(a[1], b[1], c[1])
        if not (right >= 0.0 and left <= width and bottom >= 0.0 and top <= height):
            continue
        first, last = int(max(left - 1.0, 0.0)), int(min(right + 2.0, width))
        for y in range(int(max(top - 1.0, 0.0)), int(min(bottom + 2.0, height))):
            spans[y, 0], spans[y, 1] = min(spans[y, 0], first), max(spans[y, 1], last)


@numba.njit(parallel=True, **_LOOP)  # type: ignore[untyped-decorator]
def _recolour(
    image: Any,
    cover: Any,
    spans: Any,
    triangle: Any,
    weights: Any,
    chart: Any,
    reach: Any,
    expected: Any,
    person: Any,
    typical: Any,
    side: int,
    cells: int,
    trusts: Any,
    irises: Any,
    shift: Any,
    response: Any,
    active: Any,
    hides: Any,
    lab: Any,
    usual: Any,
    gain: Any,
    plate: Any,
    matrix: Any,
    linear: Any,
    into: Any,
    back: Any,
    threads: int,
    out: Any,
) -> None:
    height, width = image.shape[:2]
    covers, unmixes, lit = cover.size > 0, plate.size > 0, gain.size > 0
    recolours = False
    for r in range(5):
        recolours = recolours or active[r]
    everywhere = active[4] or lit
    wanted = np.uint32(0)
    for r in range(4):
        if active[r]:
            wanted |= np.uint32(255) << np.uint32(8 * r)
    # Skin and hair tell what shows at the outline.
    if unmixes and everywhere:
        wanted |= np.uint32(0xFFFF)
    # Threads take numbers in a row: their rows are woven into each other, so that each has its part of the
    # person and goes down it, past what the row above it has read.
    each = -(-height // threads)
    for k in numba.prange(each * threads):
        y = np.int64(k) % each * threads + np.int64(k) // each
        if y >= height or spans[y, 0] >= spans[y, 1]:
            continue
        whole, real = np.empty((7, width), np.uint32), np.empty((20, width), np.float32)
        at, sub, words, pixels = whole[0], whole[1], whole[2:4], whole[4:7]
        share, gains, colours, regions = real[0], real[1:4], real[4:7], real[7:11]
        light, roots, shifts = real[11:14], real[14:17], real[17:20]
        count = _find(
            covers,
            cover[y if covers else 0],
            spans[y],
            triangle[y],
            weights[y],
            chart,
            reach,
            expected,
            person,
            side,
            wanted,
            everywhere,
            gain,
            at,
            words,
            share,
            gains,
        )
        if count == 0:
            continue
        for i in range(count):
            x = at[i]
            pixels[0, i], pixels[1, i], pixels[2, i] = image[y, x, 0], image[y, x, 1], image[y, x, 2]
        if unmixes:
            _unmix(count, y, at, words, usual, plate, matrix, pixels, share)
        for c in range(3):
            for i in range(count):
                colours[c, i] = np.float32(np.int32(pixels[c, i]))
        if recolours:
            found = _look(count, y, at, words, active, typical, cells, trusts, irises, pixels, sub, regions)
            for c in range(3):
                for i in range(found):
                    light[c, i] = linear[pixels[c, sub[i]]]
            _to_lab(found, light, into, roots, shifts[0])
            _shifts(found, roots, regions, active, shift, response, hides, lab, shifts)
            _from_lab(found, roots, shifts, back, light)
            for c in range(3):
                _to_srgb(found, light[c], roots[0], roots[1])
                for i in range(found):
                    colours[c, sub[i]] = light[c, i]
        if lit:
            for c in range(3):
                _relight(count, colours[c], gains[min(c, gain.shape[1] - 1)])
        _lay(count, at, colours, pixels, share, image[y], out[y])
