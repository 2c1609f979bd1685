"""Another shape of the same head: what identity edits do to a person's mesh, and to a finished picture.

A person's pictures are read where their own mesh is and drawn where another one is. The face moves by the
identity basis, as :meth:`HeadModel.carry` says; hair, ears and neck go along with the rim of the face, less
and less outwards, and the ring around the picture stays. Warping draws straight onto the other mesh. What an
engine draws by itself shows the person as they are, and is reread (:func:`reread`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats, rotation_from_angles
from studio.domain.controls import ControlState
from studio.domain.edits import EditStack, ShapeShift
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.head.rasterise import rasterise
from studio.warping.mesh import RINGS, PersonMesh

Picture = npt.NDArray[np.uint8]
BEFORE, AFTER = 1, 2
"""Neighbours that a place between two pixels needs before the first of them, and after it."""
NOTHING = np.float32(1.5)
"""Levels by which a picture may differ from its background where nothing covers: both were rounded."""


class Reshaper:
    """The shape edits of one person, ready to be added up.

    What is fixed is made once, and what depends on strengths alone when these change: at render time a shape
    costs one turn of its vertices. Safe to use from one thread at a time.
    """

    def __init__(self, mesh: PersonMesh, edits: EditStack, baked: Floats | None = None) -> None:
        """
        Args:
            mesh: the person's.
            edits: those of other effects are left alone.
            baked: ``[Vm + S, 3]`` another shape that always shows, see :attr:`WarpParts.change`.

        Raises:
            Problem: an edit belongs to another head model than the person's.
        """
        self._mesh, self._edits, self._baked = mesh, edits, baked
        self._places = list(edits.of(ShapeShift))
        changes = [shape_change(mesh, edits.edits[k].title, edits.edits[k].effect) for k in self._places]
        self._changes = np.stack(changes) if changes else np.zeros((0, 0, 3), np.float32)
        self._last: tuple[bytes, Floats] | None = None
        self._ready: list[tuple[Floats, Callable[[HeadMotion], Floats]]] = []

    def change(self, state: ControlState) -> Floats | None:
        """How a state's shape differs from the person's: ``[Vm + S, 3]`` metres of head space for face and
        shell, for :meth:`shift`; None where no edit shows. What is baked in is a part of it."""
        if not self._places:
            return None
        strengths = self._edits.strengths(state)[self._places]
        if not strengths.any():
            return None
        key = strengths.tobytes()
        if self._last is None or self._last[0] != key:
            total = np.asarray(np.tensordot(strengths, self._changes, 1), np.float32)
            self._last = (key, total if self._baked is None else total + self._baked)
        return self._last[1]

    def shift(self, change: Floats, motion: HeadMotion) -> Floats:
        """How far a change moves the mesh that a person has in one frame.

        Args:
            change: from :meth:`change`, or what is baked in.
            motion: the one frame.

        Returns:
            ``[V, 3]`` to be added to ``PersonMesh.positions``: source pixels, and depth in pixels.
        """
        ready = next((ready for known, ready in self._ready if known is change), None)
        if ready is None:
            ready = _shifting(self._mesh, change)
            self._ready = [*self._ready[-1:], (change, ready)]
        return ready(motion)


def _shifting(mesh: PersonMesh, change: Floats) -> Callable[[HeadMotion], Floats]:
    """:meth:`Reshaper.shift` of one change, with all that is fixed prepared."""
    first, end = mesh.shell
    face, lets_go = mesh.model.carried(change[:first]), mesh.shell_lets_go[:, None]
    turning = ((1.0 - lets_go) * change[first:]).astype(np.float32)
    held = (lets_go * (change[first:] @ rotation_from_angles(mesh.rest_angles).T)).astype(np.float32)

    def shift(motion: HeadMotion) -> Floats:
        # Where the camera is does not matter for a difference; how large it shows everything does.
        turn = rotation_from_angles(motion.angles[0]).T
        out = np.zeros((mesh.vertices, 3), np.float32)
        out[:first] = face(motion)[0] @ turn
        out[first:end] = turning @ turn + held
        out *= motion.camera[0, 0] * np.array([1.0, -1.0, 1.0], np.float32)
        return out

    return shift


def shape_change(mesh: PersonMesh, title: str, effect: Any) -> Floats:
    """``[Vm + S, 3]`` what a :class:`ShapeShift` adds to a person's neutral face and to the shell around it.

    Args:
        mesh: the person's.
        title: what to call the edit in a complaint.
        effect: the shift.

    Raises:
        Problem: it belongs to another head model.
    """
    model = mesh.model
    if effect.head_model != model.id:
        raise Problem(
            f"The edit “{title}” was made for the head model “{effect.head_model}” and this avatar has "
            f"“{model.id}”: make the edit again for this avatar."
        )
    if len(effect.identity) > model.identities:
        raise Problem(
            f"The edit “{title}” names {len(effect.identity)} identity coefficients and the head model has "
            f"{model.identities}: make the edit again for this avatar."
        )
    used = model.identity_basis[: len(effect.identity)]
    face = np.tensordot(np.asarray(effect.identity, np.float32), used, 1)
    shell = [follows(ring.scale) * face[mesh.rim] for ring in RINGS]
    return np.concatenate([face, *shell]).astype(np.float32)


def follows(scale: float) -> float:
    """How much of the rim's way a ring of the shell goes, by its distance as a factor of the rim's: all of it
    at the rim, none at the outermost ring. A smoothstep, so that neither end shows an edge."""
    last = RINGS[-1].scale
    t = min(max((last - scale) / (last - 1.0), 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


def reread(
    image: Picture,
    cover: Picture | None,
    behind: Picture | None,
    triangles: npt.NDArray[np.int32],
    own: Floats,
    other: Floats,
) -> tuple[Picture, Picture | None]:
    """A finished picture of a person, with another shape: each point of the other mesh shows what the picture
    has where the person's own mesh has that point.

    Args:
        image: ``[H, W, 3]``; may also be a layer like depth or normals.
        cover: ``[H, W]`` coverage; None where it is not known.
        behind: ``[H, W, 3]`` what shows where nothing covers, which stays where it is; None where all of the
            picture moves along.
        triangles: ``[F, 3]`` vertex indices; pixels that no triangle covers stay as they are.
        own: ``[V, 2 or 3]`` the mesh that the picture shows, pixels of the picture.
        other: ``[V, 3]`` the mesh wanted, pixels of the picture, larger z is nearer.

    Returns:
        ``[H, W, 3]`` and ``[H, W]``, None where it was: new arrays, bit for bit the old ones where nothing
        moves.
    """
    height, width = image.shape[:2]
    seen = rasterise(other, triangles, width, height)
    out = np.empty(image.shape, np.uint8)
    covers = cover is not None
    covered = np.empty((height, width) if covers else (0, 0), np.uint8)
    still = behind if covers and behind is not None else np.zeros((0, 0, 3), np.uint8)
    # Of one memory layout each, lest every other one be compiled for.
    picture, still = np.ascontiguousarray(image), np.ascontiguousarray(still)
    covering = covered if cover is None else np.ascontiguousarray(cover)
    person = np.empty((height + BEFORE + AFTER, width + BEFORE + AFTER, 4), np.float32)
    _lift(picture, covering, still, person)
    _reread(
        *(picture, covering, still, person),
        *(seen.triangle, seen.weights, np.ascontiguousarray(triangles, np.int32)),
        # Differences, so that where nothing moves no rounding does either.
        *(np.ascontiguousarray(own[:, :2] - other[:, :2], np.float32), out, covered),
    )
    return out, covered if covers else None


@numba.njit(parallel=True, cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _lift(image: Any, cover: Any, behind: Any, person: Any) -> None:
    """Colours without what shines through from behind, and coverage; with a margin, so that every place has
    all its neighbours."""
    height, width = image.shape[:2]
    covers, stays = cover.size > 0, behind.size > 0
    whole, share = np.float32(255.0), np.float32(1.0 / 255.0)
    for row in numba.prange(len(person)):
        y = min(max(row - BEFORE, 0), height - 1)
        line = person[row, BEFORE : BEFORE + width]
        for x in range(width):
            line[x, 3] = np.float32(cover[y, x]) if covers else whole
            for c in range(3):
                line[x, c] = np.float32(image[y, x, c])
        if stays:
            for x in range(width):
                clear = (whole - line[x, 3]) * share
                if clear > np.float32(0.0):
                    for c in range(3):
                        line[x, c] -= clear * np.float32(behind[y, x, c])
        for c in range(4):
            for x in range(BEFORE):
                person[row, x, c] = line[0, c]
            for x in range(BEFORE + width, person.shape[1]):
                person[row, x, c] = line[width - 1, c]


@numba.njit(inline="always", fastmath=True)  # type: ignore[untyped-decorator]
def _byte(value: Any) -> Any:
    """Rounded and kept within 0..255."""
    return np.uint8(min(max(value + np.float32(0.5), np.float32(0.0)), np.float32(255.0)))


@numba.njit(inline="always", fastmath=True)  # type: ignore[untyped-decorator]
def _taps(t: Any) -> Any:
    """Weights of the four neighbours of a place that is a share ``t`` behind the second: Catmull and Rom's
    cubic, which keeps pictures sharp that are read a second time."""
    half, one = np.float32(0.5), np.float32(1.0)
    two, three, four, five = np.float32(2.0), np.float32(3.0), np.float32(4.0), np.float32(5.0)
    return (
        half * t * (t * (two - t) - one),
        half * (t * t * (three * t - five) + two),
        half * t * (t * (four - three * t) + one),
        half * t * t * (t - one),
    )


@numba.njit(inline="always", fastmath=True)  # type: ignore[untyped-decorator]
def _sharply(person: Any, x: Any, y: Any, fx: Any, fy: Any) -> Any:
    """The sixteen neighbours of a place, by cubics: red, green, blue, coverage."""
    red = green = blue = amount = np.float32(0.0)
    wa, wb, wc, wd = _taps(fx)
    down = _taps(fy)
    for j in range(4):
        near = person[y + j]
        part = down[j]
        a, b, c, d = part * wa, part * wb, part * wc, part * wd
        red += a * near[x, 0] + b * near[x + 1, 0] + c * near[x + 2, 0] + d * near[x + 3, 0]
        green += a * near[x, 1] + b * near[x + 1, 1] + c * near[x + 2, 1] + d * near[x + 3, 1]
        blue += a * near[x, 2] + b * near[x + 1, 2] + c * near[x + 2, 2] + d * near[x + 3, 2]
        amount += a * near[x, 3] + b * near[x + 1, 3] + c * near[x + 2, 3] + d * near[x + 3, 3]
    return red, green, blue, amount


@numba.njit(inline="always", fastmath=True)  # type: ignore[untyped-decorator]
def _nearest(person: Any, x: Any, y: Any, fx: Any, fy: Any) -> Any:
    """The four neighbours of a place, linearly: red, green, blue, coverage."""
    one = np.float32(1.0)
    upper, lower = person[y + BEFORE], person[y + BEFORE + 1]
    a, b = (one - fy) * (one - fx), (one - fy) * fx
    c, d = fy * (one - fx), fy * fx
    left, right = x + BEFORE, x + BEFORE + 1
    return (
        a * upper[left, 0] + b * upper[right, 0] + c * lower[left, 0] + d * lower[right, 0],
        a * upper[left, 1] + b * upper[right, 1] + c * lower[left, 1] + d * lower[right, 1],
        a * upper[left, 2] + b * upper[right, 2] + c * lower[left, 2] + d * lower[right, 2],
        a * upper[left, 3] + b * upper[right, 3] + c * lower[left, 3] + d * lower[right, 3],
    )


@numba.njit(parallel=True, cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _reread(
    image: Any,
    cover: Any,
    behind: Any,
    person: Any,
    triangle: Any,
    weights: Any,
    triangles: Any,
    back: Any,
    out: Any,
    covered: Any,
) -> None:
    height, width = triangle.shape
    one, none = np.float32(1.0), np.float32(0.0)
    right, bottom = np.float32(width - 1), np.float32(height - 1)
    covers, stays = cover.size > 0, behind.size > 0
    for y in numba.prange(height):
        for x in range(width):
            t = triangle[y, x]
            dx = dy = none
            if t >= 0:
                u, v = weights[y, x, 0], weights[y, x, 1]
                w = one - u - v
                a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
                dx = u * back[a, 0] + v * back[b, 0] + w * back[c, 0]
                dy = u * back[a, 1] + v * back[b, 1] + w * back[c, 1]
            if dx == none and dy == none:
                for c in range(3):
                    out[y, x, c] = image[y, x, c]
                if covers:
                    covered[y, x] = cover[y, x]
                continue
            sx = min(max(np.float32(x) + dx, none), right)
            sy = min(max(np.float32(y) + dy, none), bottom)
            x1, y1 = np.int32(sx), np.int32(sy)
            fx, fy = sx - np.float32(x1), sy - np.float32(y1)
            red, green, blue, amount = _nearest(person, x1, y1, fx, fy)
            if stays and amount == none and max(abs(red), abs(green), abs(blue)) < NOTHING:
                for c in range(3):
                    out[y, x, c] = behind[y, x, c]
                covered[y, x] = np.uint8(0)
                continue
            sharp = _sharply(person, x1, y1, fx, fy)
            # Cubics undershoot beside edges, and the colours with them: there, the four nearest will do.
            if sharp[3] >= none:
                red, green, blue, amount = sharp
            covering = min(amount, np.float32(255.0))
            if amount > covering:
                scale = covering / amount
                red, green, blue = scale * red, scale * green, scale * blue
            if stays:
                clear = one - covering * np.float32(1.0 / 255.0)
                red += clear * np.float32(behind[y, x, 0])
                green += clear * np.float32(behind[y, x, 1])
                blue += clear * np.float32(behind[y, x, 2])
            out[y, x, 0], out[y, x, 1], out[y, x, 2] = _byte(red), _byte(green), _byte(blue)
            if covers:
                covered[y, x] = _byte(covering)
