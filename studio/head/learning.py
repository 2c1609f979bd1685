"""Learning the built-in head model from landmark statistics of many people's clips.

The order of explanations is the model's own: pose first, then the person, what the tracker does to turned
faces, the jaw, the lids, and expression components for the rest. People count equally, however long their
clips; everything is mirrored, so that the model is symmetric. The depth gain is found first, by asking
which one lets rigid heads turn with the least leftover.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.linalg import spsolve

from studio.domain.camera import Floats, angles_from_rotation, rotation_from_angles
from studio.domain.motion import EXPRESSIONS
from studio.domain.progress import Progress, silent
from studio.head import topology as mesh
from studio.head.alignment import align, to_head_space
from studio.head.fitting import calm_frames, robust_mean
from studio.head.model import Eyelids, HeadModel, pose_features

EYE_DISTANCE = 0.063
"""Mean distance between adult pupils in metres, which gives the model its size (Dodgson 2004)."""
EYEBALL_RADIUS = 0.0105
"""From the eyeball's turning point to the plane of the iris, metres."""
ORIGIN = (0.0, -0.015, -0.005)
"""The head's origin from the middle between the ears: somewhat below and behind it, where a neck turns."""

Clip = Floats
"""``[T, 478, 3]`` landmarks in pixels, z larger = nearer to the camera."""


@dataclass(frozen=True)
class LearnSettings:
    """How the head model is learned."""

    identities: int = 40
    """Identity components, at most."""
    frames: int = 240
    """Frames of each clip that are used, at most."""
    rounds: int = 3
    """Times that poses, neutral faces and the mean are refined in turn."""
    depth_gains: tuple[float, ...] = (0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2, 1.25, 1.3)
    """Depth gains tried."""
    turned: float = 35.0
    """A clip takes part in finding the depth gain when its yaw covers more degrees than this."""


@dataclass
class _Person:
    """What is known of one person while learning; N frames over all clips."""

    clips: list[Floats]
    """Landmarks in a right-handed pixel frame, depth gain applied."""
    neutral: Floats
    """``[V, 3]`` metres."""
    faces: Floats
    """``[N, V, 3]`` frames in head space."""
    angles: Floats
    """``[N, 3]`` degrees."""


def learn_head(
    people: Sequence[Sequence[Clip]],
    settings: LearnSettings | None = None,
    name: str = "builtin-1",
    progress: Progress = silent,
) -> HeadModel:
    """Learn a head model.

    Args:
        people: clips of each person.
        settings: see :class:`LearnSettings`.
        name: the model's id.
        progress: told after every stage.

    Returns:
        The model, without handles.
    """
    chosen = settings or LearnSettings()
    top = mesh.topology()
    start = _place(top.positions)
    thinned = [[_thin(clip, chosen.frames) for clip in clips if len(clip)] for clips in people]
    rigid = _rigid_weights(top.mirror)
    progress(0, 6, "finding the depth gain")
    gain = depth_gain([clip for clips in thinned for clip in clips], start, rigid, chosen)
    flip = np.array([1.0, -1.0, gain], np.float32)
    crowd = [
        _Person([clip * flip for clip in clips], start, np.zeros(0, np.float32), np.zeros(0, np.float32))
        for clips in thinned
    ]
    template, warp = start, np.zeros((5, mesh.POINTS, 3), np.float32)
    for turn in range(chosen.rounds):
        progress(1, 6, "finding neutral faces")
        for person in crowd:
            _pose(person, template, rigid, warp)
        template = _symmetric(np.mean([p.neutral for p in crowd], 0), top.mirror)
        # Straight ahead is how people usually hold their heads in front of a camera.
        pitch = float(np.median([np.median(p.angles[:, 1]) for p in crowd]))
        template = _place(template @ rotation_from_angles(np.array([0.0, pitch, 0.0])).T)
        warp = _tracker_warp(crowd, top.mirror) if turn else warp
    for person in crowd:
        _pose(person, template, rigid, warp)
    progress(2, 6, "finding the jaw")
    joints = np.zeros((3, 3), np.float32)
    regressor = np.zeros((3, mesh.POINTS), np.float32)
    skin = np.zeros((mesh.POINTS, 3), np.float32)
    skin[:, 0] = jaw_weights(template, top.triangles, top.mirror)
    regressor[0, [234, 454]] = 0.5
    joint = _jaw_joint(crowd, skin[:, 0], template)
    joints[0] = joint - regressor[0] @ template
    skin[:, 0] = _seen_weights(crowd, skin[:, 0], joint, top)
    for side in (0, 1):
        regressor[1 + side, list(mesh.EYE_CORNERS[side])] = 0.5
        skin[list(mesh.IRISES[side]), 1 + side] = 1.0
        eye = template[mesh.IRISES[side][0]] - (0.0, 0.0, EYEBALL_RADIUS)
        joints[1 + side] = eye - regressor[1 + side] @ template
    progress(3, 6, "finding the lids")
    lids = _learn_lids(crowd, template, top.mirror)
    progress(4, 6, "finding expressions")
    expression, noise, deviation = _learn_expression(
        crowd, skin[:, 0], joints[0], regressor[0], lids, top.mirror
    )
    progress(5, 6, "finding identities")
    identity = _learn_identity(crowd, template, top.mirror, chosen.identities)
    progress(6, 6, "done")
    ids = np.arange(mesh.POINTS, dtype=np.int32)
    weights = np.zeros((mesh.POINTS, 3), np.float32)
    weights[:, 0] = 1.0
    return HeadModel(
        id=name,
        template=template,
        triangles=top.triangles,
        identity_basis=identity,
        expression_basis=expression,
        expression_deviation=np.ones(EXPRESSIONS, np.float32),
        joint_regressor=regressor,
        joint_shift=joints,
        skin=skin,
        pose_basis=np.zeros((0, mesh.POINTS, 3), np.float32),
        eyelids=lids,
        landmark_ids=ids,
        landmark_vertices=np.repeat(ids[:, None], 3, 1),
        landmark_weights=weights,
        landmark_noise=noise,
        tracker_warp=warp,
        rigid=rigid,
        motion_deviation=deviation,
        tracker_depth=gain,
    )


def depth_gain(clips: Sequence[Clip], shape: Floats, rigid: Floats, settings: LearnSettings) -> float:
    """The factor on the tracker's depth with which turning heads are most rigid in x and y.

    For each gain, the mean shape of every clip that turns enough is posed against the image by x and y
    alone; what is left over of the rigid points is summed over clips.
    """
    flip = np.array([1.0, -1.0, 1.0], np.float32)
    points = np.array(mesh.FIRM)
    left = np.zeros(len(settings.depth_gains))
    turning = 0
    for clip in clips:
        _, rotation, _ = align(clip * flip, shape, rigid)
        yaw = angles_from_rotation(rotation)[:, 0]
        if np.ptp(np.percentile(yaw, [3, 97])) < settings.turned:
            continue
        turning += 1
        curve = []
        for gain in settings.depth_gains:
            seen = (clip * flip * (1.0, 1.0, gain))[:, points].astype(np.float32)
            weight = np.ones(len(points), np.float32)
            scale, rotation, shift = align(seen, shape[points], weight)
            for _ in range(2):
                mean = to_head_space(seen, scale, rotation, shift).mean(0)
                scale, rotation, shift = align(seen, mean, weight)
            curve.append(_image_residual(seen, mean, rotation))
        left += np.array(curve) / min(curve)
    if turning == 0:
        return 1.0
    # The minimum of a parabola through the best gain and its neighbours.
    best = int(np.clip(left.argmin(), 1, len(left) - 2))
    fit = np.polyfit(settings.depth_gains[best - 1 : best + 2], left[best - 1 : best + 2], 2)
    return float(np.clip(-fit[1] / (2 * fit[0]), settings.depth_gains[0], settings.depth_gains[-1]))


def _image_residual(seen: Floats, shape: Floats, rotation: Floats, steps: int = 8) -> float:
    """Mean squared x-y residual, relative to size, of a rigid shape posed by x and y alone."""
    from scipy.spatial.transform import Rotation

    image = (seen - seen.mean(1, keepdims=True))[..., :2].astype(np.float64)
    body = (shape - shape.mean(0)).astype(np.float64)
    rotation = rotation.astype(np.float64)
    for step in range(steps + 1):
        posed = body @ rotation.swapaxes(1, 2)
        flat = posed[..., :2]
        scale = (image * flat).sum((1, 2)) / (flat * flat).sum((1, 2))
        left = image / scale[:, None, None] - flat
        if step == steps:
            break
        slope = np.zeros((*flat.shape, 4))
        slope[..., 0, 1], slope[..., 0, 2] = posed[..., 2], -posed[..., 1]
        slope[..., 1, 0], slope[..., 1, 2] = -posed[..., 2], posed[..., 0]
        slope[..., 3] = flat
        normal = np.einsum("tlia,tlib->tab", slope, slope) + 1e-9 * np.eye(4)
        turn = np.linalg.solve(normal, np.einsum("tlia,tli->ta", slope, left)[..., None])[..., 0]
        rotation = Rotation.from_rotvec(turn[:, :3]).as_matrix() @ rotation
    return float((left**2).sum(-1).mean())


def jaw_weights(template: Floats, triangles: npt.NDArray[np.int32], mirror: npt.NDArray[np.int32]) -> Floats:
    """How much each vertex follows the jaw: 1 on the chin, 0 above the mouth, smooth between (harmonic).

    The closed inner mouth is cut, so that the upper lip feels the lower one only around the corners.
    """
    inner = {*mesh.INNER_UPPER_LIP, *mesh.INNER_LOWER_LIP, *mesh.INNER_MOUTH_CORNERS}
    skin = [t for t in triangles.tolist() if not all(v in inner for v in t)]
    edges = {tuple(sorted((t[i], t[(i + 1) % 3]))) for t in skin for i in range(3)}
    a, b = np.array(sorted(edges)).T
    stiff = 1.0 / np.linalg.norm(template[a] - template[b], axis=1)
    count = len(template)
    graph = sparse.coo_matrix((stiff, (a, b)), (count, count))
    graph = graph + graph.T
    laplace = sparse.diags(np.asarray(graph.sum(1)).ravel()) - graph
    value = np.full(count, np.nan)
    upper_lip = [*mesh.INNER_UPPER_LIP, 0, 37, 39, 40, 185, 267, 269, 270, 409, 11, 72, 73, 74, 302, 303, 304]
    value[upper_lip] = 0.0
    height = template[mesh.IRISES[0][0], 1] - template[2, 1]
    value[template[:, 1] > template[2, 1] + 0.25 * height] = 0.0
    value[list(mesh.CHIN)] = 1.0
    value[list(mesh.INNER_LOWER_LIP)] = 1.0
    value[[17, 84, 314, 181, 405, 16, 15, 86, 316, 85, 315]] = 1.0
    free = np.isnan(value)
    fixed = ~free
    system = laplace.tocsr()
    right = -system[free][:, fixed] @ value[fixed]
    value[free] = spsolve(system[free][:, free].tocsc() + 1e-9 * sparse.eye(int(free.sum())), right)
    value[list(np.ravel(mesh.IRISES))] = 0.0
    return np.asarray(np.clip((value + value[mirror]) / 2, 0, 1), np.float32)


def _rigid_weights(mirror: npt.NDArray[np.int32]) -> Floats:
    rigid = np.full(mesh.POINTS, 0.02, np.float32)
    rigid[list(mesh.RIGID)] = 1.0
    rigid[list(np.ravel(mesh.IRISES))] = 0.0
    return np.maximum(rigid, rigid[mirror])


def _place(shape: npt.NDArray[np.floating]) -> Floats:
    """Scale and shift a face to head space; its axes are kept."""
    iris = np.array([mesh.IRISES[0][0], mesh.IRISES[1][0]])
    size = EYE_DISTANCE / np.linalg.norm(shape[iris[0]] - shape[iris[1]])
    out = shape * size
    return np.asarray(out - out[[234, 454]].mean(0) - ORIGIN, np.float32)


def _thin(clip: Clip, most: int) -> Floats:
    good = np.asarray(clip, np.float32)
    good = good[np.isfinite(good).all((1, 2))]
    return good[np.unique(np.linspace(0, len(good) - 1, min(most, len(good))).round().astype(int))]


def _symmetric(shape: npt.NDArray[np.floating], mirror: npt.NDArray[np.int32]) -> Floats:
    return np.asarray((shape + flipped(shape, mirror)) / 2, np.float32)


def flipped(shapes: npt.NDArray[np.floating], mirror: npt.NDArray[np.int32]) -> Floats:
    """Shapes or displacements ``[..., V, 3]`` seen in a mirror."""
    return np.asarray(shapes[..., mirror, :] * np.array([-1.0, 1.0, 1.0]), np.float32)


def _pose(person: _Person, template: Floats, rigid: Floats, warp: Floats) -> None:
    """Bring a person's frames to head space and find their neutral face, aligned to the template."""
    one = np.ones(1, np.float32)
    shape = person.neutral
    for _ in range(2):
        faces, angles, neutrals = [], [], []
        for clip in person.clips:
            scale, rotation, shift = align(clip, shape, rigid)
            turn = angles_from_rotation(rotation)
            seen = to_head_space(clip, scale, rotation, shift)
            seen -= np.tensordot(pose_features(turn), warp, 1)
            neutrals.append(robust_mean(seen[calm_frames(clip)]))
            faces.append(seen)
            angles.append(turn)
        shape = np.mean(neutrals, 0)
        scale, rotation, shift = align(shape[None], template, rigid)
        shape = to_head_space(shape[None], scale, rotation, shift)[0]
        person.faces, person.angles = np.concatenate(faces), np.concatenate(angles)
        person.faces = to_head_space(
            person.faces,
            scale * one.repeat(len(person.faces)),
            rotation.repeat(len(person.faces), 0),
            shift.repeat(len(person.faces), 0),
        )
    person.neutral = shape


def _tracker_warp(crowd: list[_Person], mirror: npt.NDArray[np.int32]) -> Floats:
    """What a person's face seems to do merely because it turns: regression within people, ``[5, V, 3]``."""
    sign = np.array([-1.0, 1.0, 1.0, 1.0, -1.0])
    normal, right = np.eye(5) * 0.01, np.zeros((5, mesh.POINTS * 3))
    for person in crowd:
        features = pose_features(person.angles)
        features = features - features.mean(0)
        moved = person.faces - person.faces.mean(0)
        for f, m in ((features, moved), (features * sign, flipped(moved, mirror))):
            normal += f.T @ f / len(f)
            right += f.T @ m.reshape(len(f), -1) / len(f)
    warp = np.linalg.solve(normal, right).reshape(5, mesh.POINTS, 3)
    return np.asarray(warp, np.float32)


def _jaw_field(shape: Floats, weight: Floats, joint: Floats) -> Floats:
    """What a small opening of one radian does: ``[V, 3]``."""
    arm = shape - joint
    return np.asarray(np.stack([np.zeros(len(arm)), -arm[:, 2], arm[:, 1]], 1) * weight[:, None], np.float32)


JAW_POINTS = (*mesh.CHIN, *mesh.INNER_LOWER_LIP, 17, 84, 314, 16, 15, 85, 315, 86, 316, 181, 405)
"""What the jaw's angle is read from: the chin, which trackers follow poorly, and the lip that rides on it."""


def _open_angle(person: _Person, weight: Floats, joint: Floats) -> Floats:
    """Jaw opening ``[N]`` in radians from the turn of chin and lower lip about the joint."""
    chin = list(JAW_POINTS)
    field = _jaw_field(person.neutral, weight, joint)[chin]
    moved = (person.faces - person.neutral)[:, chin]
    return np.asarray(np.einsum("tld,ld->t", moved, field) / (field**2).sum(), np.float32)


def _jaw_joint(crowd: list[_Person], weight: Floats, template: Floats) -> Floats:
    """The point (on the middle plane) about which chins turn with the least leftover."""
    chin = list(mesh.CHIN)
    ear = template[[234, 454]].mean(0)
    best, where = np.inf, ear
    for y in np.arange(-0.03, 0.011, 0.01):
        for z in np.arange(-0.02, 0.031, 0.01):
            joint = ear + np.array([0.0, y, z], np.float32)
            left = 0.0
            for person in crowd:
                angle = _open_angle(person, weight, joint)
                field = _jaw_field(person.neutral, weight, joint)[chin]
                moved = (person.faces - person.neutral)[:, chin] - angle[:, None, None] * field
                left += float((moved**2).sum(-1).mean())
            if left < best:
                best, where = left, joint
    return np.asarray(where, np.float32)


def _seen_weights(crowd: list[_Person], weight: Floats, joint: Floats, top: mesh.Topology) -> Floats:
    """Jaw weights corrected by how far each point was seen to go along when chins turned.

    Bone keeps the harmonic weight 1 and what lies above the nose 0; skin and lips between follow the clips,
    smoothed over the mesh once.
    """
    whole = np.ones(mesh.POINTS, np.float32)
    shared, power = np.zeros(mesh.POINTS), 0.0
    for person in crowd:
        angle = _open_angle(person, weight, joint)
        field = _jaw_field(person.neutral, whole, joint)
        moved = person.faces - person.neutral
        along = np.einsum("tld,ld->tl", moved, field) / (field**2).sum(-1)
        shared += (along * angle[:, None]).mean(0)
        power += float((angle**2).mean())
    seen = np.clip(shared / power, 0, 1)
    seen = (seen + seen[top.mirror]) / 2
    bone = np.isin(np.arange(mesh.POINTS), mesh.CHIN)
    mixed = np.where(bone, 1.0, np.where(weight > 0.01, seen, 0.0))
    total, count = mixed.copy(), np.ones(mesh.POINTS)
    inner = {*mesh.INNER_UPPER_LIP, *mesh.INNER_LOWER_LIP, *mesh.INNER_MOUTH_CORNERS}
    for t in top.triangles.tolist():
        if not all(v in inner for v in t):
            for i in range(3):
                total[t[i]] += mixed[t[(i + 1) % 3]]
                count[t[i]] += 1
    smooth = np.where(bone | (weight <= 0.01), mixed, total / count)
    return np.asarray((smooth + smooth[top.mirror]) / 2, np.float32)


def _closure(person: _Person) -> Floats:
    """How far each eye is closed ``[N, 2]``: 0 as in the neutral face, 1 where the tracker shows it shut."""
    out = []
    for up, low in zip(mesh.UPPER_LIDS, mesh.LOWER_LIDS):
        gap = np.linalg.norm((person.faces[:, up] - person.faces[:, low])[..., :2], axis=-1).mean(1)
        rest = np.linalg.norm((person.neutral[list(up)] - person.neutral[list(low)])[..., :2], axis=-1).mean()
        out.append((1.0 - gap / rest) / (1.0 - SHUT))
    return np.asarray(np.stack(out, 1), np.float32)


SHUT = 0.12
"""Lid gap that the tracker shows for a closed eye, as a share of the open one."""
LID_GAP = 0.06
"""Gap left between the lids at 1, as a share of the open one: edges have thickness."""


def _learn_lids(crowd: list[_Person], template: Floats, mirror: npt.NDArray[np.int32]) -> Eyelids:
    """Which share of the lid's way each point around the eyes goes in blinks, regressed over all blinks."""
    vertex, upper, lower, share, eye = [], [], [], [], []
    side = 0
    up, low = list(mesh.UPPER_LIDS[side]), list(mesh.LOWER_LIDS[side])
    corners = list(mesh.EYE_CORNERS[side])
    centre = template[corners].mean(0)
    reach = np.abs(template - centre)
    near = np.flatnonzero((reach[:, 0] < 0.026) & (reach[:, 1] < 0.022) & (reach[:, 2] < 0.03))
    near = np.array([v for v in near if v not in corners and v not in np.ravel(mesh.IRISES)])
    # Associate every point with the lid pair straight above or below it.
    x = template[up, 0]
    pair = np.abs(template[near, 0][:, None] - x[None]).argmin(1)
    top, bottom = np.zeros(len(near)), np.zeros(len(near))
    for person in crowd:
        for mirrored in (False, True):
            faces = flipped(person.faces, mirror) if mirrored else person.faces
            neutral = flipped(person.neutral, mirror) if mirrored else person.neutral
            closed = _closure(person)[:, 1 if mirrored else 0]
            blink = closed > 0.35
            if blink.sum() < 2:
                continue
            way = (neutral[low] - neutral[up])[pair]
            moved = (faces[blink] - neutral)[:, near]
            along = np.einsum("tld,ld->tl", moved[..., :2], way[:, :2]) / (way[:, :2] ** 2).sum(-1)
            top += (along * closed[blink, None]).mean(0)
            bottom += (closed[blink] ** 2).mean()
    learned = top / np.maximum(bottom, 1e-9)
    place = {v: i for i, v in enumerate(near)}
    full = 1.0 - LID_GAP
    for u, l in zip(up, low):
        # Together the two edges must close the gap, in the proportion in which they were seen to move.
        a, b = max(learned[place[u]], 0.05), min(learned[place[l]], -0.0)
        size = full / (a - b)
        learned[place[u]], learned[place[l]] = a * size, b * size
    fade = np.clip(1.5 - reach[near].max(1) / 0.016, 0, 1)
    on_edge = np.isin(near, up + low)
    learned = np.where(on_edge, learned, np.clip(learned, -0.4, 0.9) * fade)
    for v, p, s in zip(near, pair, learned):
        if abs(s) > 0.01:
            for which in (0, 1):
                points = [v, up[p], low[p]]
                points = [int(mirror[q]) for q in points] if which else points
                vertex.append(points[0])
                upper.append(points[1])
                lower.append(points[2])
                share.append(s)
                eye.append(which)
    for which in (0, 1):
        # The iris sinks towards the line where the lids meet: rim points from where they are.
        up_mid, low_mid = mesh.UPPER_LIDS[which][3], mesh.LOWER_LIDS[which][3]
        span = template[up_mid, 1] - template[low_mid, 1]
        meet = template[up_mid, 1] - span * float(learned[place[up[3]]]) + LID_GAP * span * -0.5
        for v in mesh.IRISES[which]:
            vertex.append(v)
            upper.append(up_mid)
            lower.append(low_mid)
            share.append(float((template[v, 1] - meet) / span))
            eye.append(which)
    return Eyelids(
        np.array(vertex, np.int32),
        np.array(upper, np.int32),
        np.array(lower, np.int32),
        np.array(share, np.float32),
        np.array(eye, np.int32),
    )


def _learn_expression(
    crowd: list[_Person],
    weight: Floats,
    shift: Floats,
    regressor: Floats,
    lids: Eyelids,
    mirror: npt.NDArray[np.int32],
) -> tuple[Floats, Floats, Floats]:
    """Principal components of what jaw and lids leave over, with the noise beyond them.

    Returns:
        ``[50, V, 3]`` metres per standard deviation, noise ``[V]`` in metres, and the usual size
        ``[5]`` of the jaw angles and the lids.
    """
    size = mesh.POINTS * 3
    emphasis = np.ones((mesh.POINTS, 3), np.float32) * (1.0, 1.0, 0.5)
    emphasis[list(np.ravel(mesh.IRISES))] = 1e-3
    spread, total = np.zeros((size, size)), 0.0
    leftovers, angles, lid_power = [], [], []
    for person in crowd:
        joint = regressor @ person.neutral + shift
        angle = _open_angle(person, weight, joint)
        field = _jaw_field(person.neutral, weight, joint)
        closed = np.clip(_closure(person), 0, 1)
        left = person.faces - person.neutral - angle[:, None, None] * field
        left -= np.tensordot(closed, lids.displacement(person.neutral), 1)
        left -= robust_mean(left) * 0.5
        angles.append(float(np.sqrt((angle**2).mean())))
        lid_power.append(float(np.sqrt((closed**2).mean())))
        size_of = np.sqrt((left**2).sum(-1).mean(1))
        left = left[size_of < 4 * np.median(size_of)]
        leftovers.append(left)
        for side in (left, flipped(left, mirror)):
            flat = (side * emphasis).reshape(len(side), -1).astype(np.float64)
            spread += flat.T @ flat / len(flat)
        total += 2
    spread /= total
    power, direction = np.linalg.eigh(spread)
    order = power.argsort()[::-1][:EXPRESSIONS]
    scale = np.sqrt(np.maximum(power[order], 1e-14))
    unit = direction[:, order]
    # A fixed sign, so that learning again gives the same model: the largest entry is positive.
    unit = unit * np.sign(unit[np.abs(unit).argmax(0), np.arange(unit.shape[1])])
    basis = (unit * scale).T.reshape(EXPRESSIONS, mesh.POINTS, 3) / emphasis
    basis[:, list(np.ravel(mesh.IRISES))] = 0.0
    noise = np.zeros(mesh.POINTS)
    for left in leftovers:
        flat = (left * emphasis).reshape(len(left), -1)
        rest = (flat - (flat @ unit) @ unit.T).reshape(left.shape) / emphasis
        noise += (rest[..., :2] ** 2).sum(-1).mean(0) / 2
    noise = np.sqrt((noise + noise[mirror]) / 2 / len(leftovers))
    noise = np.clip(noise, 0.6 * np.median(noise), None) + 1e-4
    jaw = float(np.mean(angles))
    deviation = np.array([max(jaw, 0.05), 0.03, 0.03, 0.4, 0.4])
    return basis.astype(np.float32), noise.astype(np.float32), deviation.astype(np.float32)


def _learn_identity(
    crowd: list[_Person], template: Floats, mirror: npt.NDArray[np.int32], most: int
) -> Floats:
    """Principal components ``[I, V, 3]`` of neutral faces and their mirror images, metres per deviation."""
    shapes = np.stack([p.neutral for p in crowd]) - template
    samples = np.concatenate([shapes, flipped(shapes, mirror)]).astype(np.float64)
    for side in (0, 1):
        # Where somebody looks is not who they are: irises follow their eye's corners.
        corners = samples[:, list(mesh.EYE_CORNERS[side])].mean(1, keepdims=True)
        samples[:, list(mesh.IRISES[side])] = corners
    _, singular, right = np.linalg.svd(samples.reshape(len(samples), -1), full_matrices=False)
    keep = min(most, len(samples) - 1)
    right = right * np.sign(right[np.arange(len(right)), np.abs(right).argmax(1)])[:, None]
    basis = right[:keep] * (singular[:keep, None] / np.sqrt(len(samples)))
    return np.asarray(basis.reshape(keep, mesh.POINTS, 3), np.float32)
