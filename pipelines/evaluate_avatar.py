"""How good is an avatar on frames that it has never seen, and is it better than showing a training frame?

Every good held-out frame is asked for by its tracked head parameters, drawn in its own aligned crop and
compared with what the camera saw there. Beside the engine always stands the nearest training frame and, if
wished, another engine: every column goes through the same frames and the same code.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from pipelines.aligned_crop import cut_mask, cut_view, inside_source
from pipelines.asked_states import asked_states
from pipelines.evaluation_pictures import ContactSheet, SideBySide
from pipelines.nearest_frame import Nearness, nearest_training_frames
from studio.assets import AssetLibrary
from studio.domain.avatar import Avatar
from studio.domain.camera import Floats, Similarity, View
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.domain.rendering import RenderRequest
from studio.domain.sequence import FLAG_SENTENCES, LANDMARKS, Flag, TrackedSequence
from studio.engines.engine import Engine
from studio.head import HeadModel, builtin_head, fit_motion
from studio.media import read_selected
from studio.metrics import METRICS, Metric, Observed, Unavailable, summarise
from studio.metrics.identity import IdentityNetwork, MobileFaceNet
from studio.metrics.perceptual import Backbone, lpips_with
from studio.tracking.tracker import Settled, Tracker

LEARNT_FROM = "learnt_from"
"""Entry of an avatar's lineage: ``[first, one past last]`` of the frames it was allowed to see."""

Picture = npt.NDArray[np.uint8]
Shown = TypeVar("Shown")
Masks = Callable[[int], Picture]
"""Frame number to the stored person mask ``[M, M]`` uint8, in the frame's mask box."""

WORST = 3
"""Frames on the contact sheet in which the engine loses most."""
APART = 0.3
"""Seconds that lie between them at least: neighbours look alike."""
JUDGES = ("lpips", "haarpsi", "psnr")
"""Measures that say which frames those are; the first that there is."""
ENGINE_SHOWN = -2
"""Place of the judged engine among the pictures that are shown."""
NEAREST = 2
"""Column of the nearest training frame; 0 is the real one, 1 the judged engine."""
_CHUNK = 16
"""Frames whose pictures are measured at once."""
_STREAMED = ("pictures", "masks", "perceptual_weights")
"""Needs that are met while the frames pass by; the others wait for the whole track."""


@dataclass(frozen=True)
class EvaluateSettings:
    """How an avatar is evaluated."""

    size: int = 256
    """Side of the aligned crop in which everything is compared, pixels."""
    nearest: Nearness = "landmarks"
    """What makes a training frame the nearest one: its landmarks in the aligned crop, or its whitened head
    parameters. The default is the stronger baseline (see docs/benchmarks.md)."""
    lpips: Backbone = "vgg"
    """Trunk of LPIPS; figures of different trunks cannot be compared."""


@dataclass(frozen=True)
class Judged:
    """What is evaluated: an opened avatar and the clip that judges it."""

    engine: Engine
    """Draws the frames."""
    engine_id: str
    """Engine id, for the report."""
    rest_camera: npt.NDArray[np.floating]
    """``[3]`` scale, cx, cy that the engine's move and zoom controls are relative to."""
    sequence: TrackedSequence
    """The tracked clip."""
    video: Path
    """The clip itself."""
    train: slice
    """Frames that were learnt from."""
    held_out: slice
    """Frames to judge by."""
    title: str = ""
    """Name of the clip, for tables."""
    masks: Masks | None = None
    """Person masks of the clip, where there are any."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """How the avatar was built, as JSON values, for the report."""


@dataclass(frozen=True)
class Beside:
    """Another opened avatar of the same clip, shown and measured beside the judged one."""

    engine: Engine
    """Draws the frames."""
    name: str
    """What reports call it, e.g. ``instant`` or ``instant:draft``."""
    rest_camera: npt.NDArray[np.floating]
    """``[3]`` scale, cx, cy that its own move and zoom controls are relative to."""
    avatar: Avatar | None = None
    """Checked for having learnt from held-out frames; None where that is known otherwise."""


class Witness(Protocol):
    """Keeps what an evaluation sees on its way, for whoever wants more than means."""

    def saw(self, frame: int, pictures: Sequence[Picture]) -> None:
        """The pictures ``[S, S, 3]`` of one frame: real, engine, nearest training frame, engine beside."""

    def measured(self, values: Sequence[Mapping[str, npt.NDArray[np.float64]]]) -> None:
        """Metric id to ``[T]`` values over all frames seen, NaN where a frame has none: of the engine, the
        nearest training frame and the engine beside."""


@dataclass(frozen=True)
class Evaluation:
    """The figures of one avatar on one clip."""

    title: str
    """Name of the clip."""
    engine: str
    """Engine id."""
    resolution: int
    """Side of the compared pictures in pixels."""
    frames: int
    """Frames compared."""
    fps: float
    """Frames a second that the engine drew at this size and full quality; nothing else is counted."""
    metrics: Mapping[str, float]
    """Metric id to its mean over frames, for the engine."""
    nearest_frame: Mapping[str, float]
    """The same for the nearest training frame."""
    off: Mapping[str, str]
    """Metric id to why it is missing, for the engine or for the nearest frame."""
    held_out: tuple[int, int]
    """First and last held-out frame."""
    counts: Mapping[str, int]
    """``not_good``: held-out frames left out because they were flagged in tracking; ``no_face_in_real``: no
    face found in the real crop, so measures of faces leave the frame out on both sides; ``no_face_in_engine``
    and ``no_face_in_nearest_frame`` (and ``no_face_in_beside``): entered with the worst value of the frames
    where one was found."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What the figures depend on."""
    beside_engine: str = ""
    """Name of the engine beside it; empty for none."""
    beside: Mapping[str, float] = field(default_factory=dict)
    """Metric id to its mean over the same frames, for the engine beside it."""
    beside_fps: float = 0.0
    """Frames a second that the engine beside it drew."""

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready values."""
        plain = asdict(self)
        plain["held_out"] = list(self.held_out)
        return plain


def check_unseen(avatar: Avatar, held_out: slice) -> None:
    """Refuse to judge an avatar by frames that it learnt from. Raises Problem."""
    seen = avatar.lineage.get(LEARNT_FROM)
    if seen is None:
        raise Problem(
            f"This {avatar.engine} avatar does not say which frames it learnt from, so it cannot be judged "
            "fairly: build it again."
        )
    first, past = int(seen[0]), int(seen[1])
    if first < held_out.stop and held_out.start < past:
        raise Problem(
            f"This {avatar.engine} avatar learnt from frames {first} to {past - 1}, which overlap the "
            f"held-out frames {held_out.start} to {held_out.stop - 1}: build it again with those held out."
        )


def evaluate_avatar(
    judged: Judged,
    settings: EvaluateSettings | None = None,
    *,
    avatar: Avatar | None = None,
    beside: Beside | None = None,
    assets: AssetLibrary | None = None,
    new_tracker: Callable[[], Tracker] | None = None,
    head: HeadModel | None = None,
    contact_sheet: Path | None = None,
    video_out: Path | None = None,
    witness: Witness | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Compare an avatar with the real held-out frames, and the nearest training frame beside it.

    Args:
        judged: the avatar and its clip.
        settings: see :class:`EvaluateSettings`.
        avatar: checked for having learnt from held-out frames; None where that is known otherwise.
        beside: another engine, measured on the same frames.
        assets: where LPIPS and identity weights are looked for; None for none.
        new_tracker: makes the tracker that looks at crops; MediaPipe when None.
        head: the head model of the sequence; the built-in one when None.
        contact_sheet: write a PNG there of real, other engine, engine, nearest frame and their errors: frames
            spread over the held-out part, and those in which the engine loses most against the other engine
            (against the nearest frame if there is none).
        video_out: write an MP4 of the same pictures, side by side, there.
        witness: shown every frame and told every value.
        progress: told after every frame.

    Returns:
        Means over all good held-out frames. Pixels outside the source frame count as right on all sides.

    Raises:
        Problem: the avatar has seen the held-out frames, none of them is good, or a file cannot be read or
            written.
    """
    chosen = settings or EvaluateSettings()
    sequence, held_out = judged.sequence, judged.held_out
    if chosen.size < 32:
        raise Problem(f"Pictures of {chosen.size} pixels are too small to compare: choose at least 32.")
    for known in (avatar, beside.avatar if beside else None):
        if known is not None:
            check_unseen(known, held_out)
    frames = np.arange(len(sequence))[held_out]
    usable = frames[sequence.good[held_out]]
    if not len(usable):
        raise Problem(
            f"No held-out frame can be judged: {_usual_fault(sequence, held_out)}. Use another clip."
        )
    nearest = nearest_training_frames(sequence, usable, judged.train, chosen.nearest)
    metrics, off = _measurable(chosen, judged, assets)
    identity = _identity(assets, off)

    with ExitStack() as stack:
        bank = stack.enter_context(_CropBank(judged, nearest, chosen.size, progress))
        columns = _Columns(judged, beside, usable, nearest, bank, chosen.size)
        names = columns.displayed(columns.names)
        sheet = ContactSheet(contact_sheet, len(usable), names) if contact_sheet else None
        film = None
        if video_out:
            film = stack.enter_context(SideBySide(video_out, chosen.size, sequence.rate, names, ENGINE_SHOWN))
        sides = [_Side(usable, chosen.size, _tracker(new_tracker, stack), identity) for _ in columns.names]
        measuring = _Measuring(metrics, usable, off, len(sides) - 1)
        columns.warm_up()
        for k, (frame, source) in enumerate(read_selected(judged.video, usable.tolist())):
            shown = columns.cut(k, source)
            for side, picture in zip(sides, shown):
                side.add(k, picture)
            measuring.add(k, shown, columns.mask(k))
            if sheet is not None:
                sheet.add(k, f"frame {frame}", columns.displayed(shown))
            if film is not None:
                film.add(columns.displayed(shown))
            if witness is not None:
                witness.saw(int(frame), shown)
            progress(k + 1, len(usable), "comparing with held-out frames")
        measuring.flush()
        if sheet is not None:
            rival = -1 if beside else NEAREST - 1
            lost, by = measuring.losses(rival)
            worst = _apart(lost, WORST, round(sequence.rate * APART))
            for (frame, source), k in zip(read_selected(judged.video, usable[worst].tolist()), worst):
                how = "worse" if lost[k] > 0 else "better"
                said = f"frame {frame}: {by.title} {abs(lost[k]):.{by.digits}f} {how}"
                sheet.append(said, columns.displayed(columns.cut(k, source)))
            sheet.save()

    model = _same_head(head, sequence, off)
    for side in sides:
        side.fit(model, sequence)
    observed = [side.observed() for side in sides]
    seen = [side.found for side in sides]
    results, reasons, tracks = [], [], []
    for index in range(1, len(sides)):
        values = measuring.values[index - 1] | _tracked(metrics, observed[0], observed[index], off)
        tracks.append(values)
        reasons.append(dict(off))
        results.append(_means(metrics, values, seen[0] & ~seen[index], reasons[-1]))
    if witness is not None:
        witness.measured(tracks)
    fps = columns.fps(len(usable))
    return Evaluation(
        title=judged.title or judged.video.stem,
        engine=judged.engine_id,
        resolution=chosen.size,
        frames=len(usable),
        fps=fps[0],
        metrics=results[0],
        nearest_frame=results[1],
        beside_engine=beside.name if beside else "",
        beside=results[2] if beside else {},
        beside_fps=fps[1] if beside else 0.0,
        off={name: why for off_in_column in reversed(reasons) for name, why in off_in_column.items()},
        held_out=(int(frames[0]), int(frames[-1])),
        counts={
            "not_good": len(frames) - len(usable),
            "no_face_in_real": int((~seen[0]).sum()),
            "no_face_in_engine": int((seen[0] & ~seen[1]).sum()),
            "no_face_in_nearest_frame": int((seen[0] & ~seen[2]).sum()),
            **({"no_face_in_beside": int((seen[0] & ~seen[3]).sum())} if beside else {}),
        },
        settings={
            **asdict(chosen),
            "train": [*judged.train.indices(len(sequence))[:2]],
            "tracker": sides[0].tracker.name,
            "head_model": sequence.head_model,
            "identity_network": identity.name if identity else None,
            **judged.about,
        },
    )


class _Columns:
    """The pictures of a held-out frame: real, engine, nearest training frame and perhaps another engine."""

    def __init__(
        self,
        judged: Judged,
        beside: Beside | None,
        frames: npt.NDArray[np.integer],
        nearest: npt.NDArray[np.integer],
        bank: _CropBank,
        size: int,
    ) -> None:
        self.names = ["real", judged.engine_id, "nearest frame", *([beside.name] if beside else [])]
        self._judged, self._frames, self._nearest, self._bank = judged, frames, nearest, bank
        self._views = [judged.sequence.crop_view(int(frame), size) for frame in frames]
        self._painters = [_Painter(judged.engine, judged.rest_camera, judged.sequence, frames)]
        if beside:
            self._painters.append(_Painter(beside.engine, beside.rest_camera, judged.sequence, frames))

    def warm_up(self) -> None:
        """The first picture pays for compiling and caching, which is not an engine's speed."""
        for painter in self._painters:
            painter.draw(0, self._views[0])
            painter.spent = 0.0

    def cut(self, k: int, source: Picture) -> list[Picture]:
        """The k-th frame ``[S, S, 3]`` of every column; what is beyond the camera is as in the real one."""
        view = self._views[k]
        real = cut_view(source, view)
        inside = self._inside(view)[..., None]
        drawn = [painter.draw(k, view) for painter in self._painters]
        others = [drawn[0], self._bank[int(self._nearest[k])], *drawn[1:]]
        return [real, *(np.where(inside, picture, real) for picture in others)]

    def mask(self, k: int) -> Picture | None:
        """Person mask ``[S, S]`` of the k-th frame, if the clip has masks."""
        if self._judged.masks is None:
            return None
        frame, view = int(self._frames[k]), self._views[k]
        box = Similarity.from_array(self._judged.sequence.mask_boxes[frame])
        return cut_mask(self._judged.masks(frame), box, view) * self._inside(view).astype(np.uint8)

    def displayed(self, columns: Sequence[Shown]) -> list[Shown]:
        """Names or pictures in the order in which people compare: real, other engine, engine, nearest."""
        real, engine, nearest, *beside = columns
        return [real, *beside, engine, nearest]

    def fps(self, frames: int) -> list[float]:
        """Speed of each engine over so many frames."""
        return [frames / painter.spent if painter.spent > 0 else 0.0 for painter in self._painters]

    def _inside(self, view: View) -> npt.NDArray[np.bool_]:
        return inside_source(view, self._judged.sequence.width, self._judged.sequence.height)


class _Painter:
    """An engine and what it is asked for."""

    def __init__(
        self,
        engine: Engine,
        rest_camera: npt.NDArray[np.floating],
        sequence: TrackedSequence,
        frames: npt.NDArray[np.integer],
    ) -> None:
        self._engine = engine
        self._states = asked_states(engine.sheet, rest_camera, sequence, frames)
        self.spent = 0.0
        """Seconds of drawing."""

    def draw(self, k: int, view: View) -> Picture:
        began = time.perf_counter()
        drawn = self._engine.render(RenderRequest(self._states[k], view)).image
        self.spent += time.perf_counter() - began
        return drawn


def _apart(values: npt.NDArray[np.floating], count: int, gap: int) -> list[int]:
    """Indices of the largest values that lie more than ``gap`` frames apart, ascending."""
    left = np.where(np.isfinite(values), values, -np.inf)
    found: list[int] = []
    while len(found) < count and np.isfinite(left.max()):
        found.append(int(left.argmax()))
        left[max(found[-1] - gap, 0) : found[-1] + gap + 1] = -np.inf
    return sorted(found)


class _Side:
    """One column of the comparison while its frames pass by: landmarks and embeddings, not pictures."""

    def __init__(
        self,
        frames: npt.NDArray[np.integer],
        size: int,
        tracker: Tracker,
        identity: IdentityNetwork | None,
    ) -> None:
        self.tracker = tracker
        self._frames, self._size, self._identity = frames.astype(np.int64), size, identity
        self._landmarks: Floats = np.full((len(frames), LANDMARKS, 3), np.nan, np.float32)
        self._embeddings: Floats | None = None
        self._motion: HeadMotion | None = None

    @property
    def found(self) -> npt.NDArray[np.bool_]:
        """``[T]`` frames in which a face was found."""
        return np.isfinite(self._landmarks).all(axis=(1, 2))

    def add(self, k: int, picture: Picture) -> None:
        faces = self.tracker.faces(picture)
        if faces:
            # An aligned crop shows its person large; someone in the background is smaller.
            self._landmarks[k] = max(faces, key=lambda face: np.ptp(face.landmarks[:, 1])).landmarks
        if self._identity is not None:
            values = self._identity.embed(picture[None], self._landmarks[k : k + 1])
            if self._embeddings is None:
                self._embeddings = np.full((len(self._frames), values.shape[1]), np.nan, np.float32)
            self._embeddings[k] = values[0]

    def fit(self, model: HeadModel | None, sequence: TrackedSequence) -> None:
        """Head parameters of all frames, with the person's own fixed shape."""
        found = self.found
        if model is None or not found.any():
            return
        fitted = fit_motion(model, sequence.identity, sequence.offset, self._landmarks[found])
        columns = {}
        for entry in fields(fitted):
            values = getattr(fitted, entry.name)
            columns[entry.name] = np.full((len(found), values.shape[1]), np.nan, np.float32)
            columns[entry.name][found] = values
        self._motion = HeadMotion(**columns)

    def observed(self) -> Observed:
        return Observed(
            self._frames,
            size=self._size,
            landmarks=self._landmarks,
            motion=self._motion,
            embeddings=self._embeddings,
        )


class _Measuring:
    """Picture metrics, a chunk of frames at a time, so that memory does not grow with the clip."""

    def __init__(
        self,
        metrics: Sequence[Metric],
        frames: npt.NDArray[np.integer],
        off: dict[str, str],
        rendered: int,
    ) -> None:
        self._metrics = [m for m in metrics if m.needs in _STREAMED]
        self._frames, self._off = frames.astype(np.int64), off
        self.values = [{m.id: np.full(len(frames), np.nan) for m in self._metrics} for _ in range(rendered)]
        """For every column but the real one: metric id to ``[T]`` values."""
        self._waiting: list[tuple[int, list[Picture], Picture | None]] = []
        self._kept = 0

    def add(self, k: int, shown: list[Picture], mask: Picture | None) -> None:
        self._waiting.append((k, shown, mask))
        if len(self._waiting) - self._kept >= _CHUNK:
            self.flush()

    def flush(self) -> None:
        """Measure what waits. The last frame stays as the predecessor of the next chunk's first."""
        fresh = slice(self._kept, None)
        if len(self._waiting) <= self._kept:
            return
        where = np.array([k for k, _, _ in self._waiting])
        masks = [mask for _, _, mask in self._waiting if mask is not None]
        mask = np.stack(masks) if len(masks) == len(self._waiting) else None
        real, *others = (
            Observed(self._frames[where], np.stack([shown[i] for _, shown, _ in self._waiting]), mask)
            for i in range(1 + len(self.values))
        )
        for metric in self._metrics:
            if metric.id in self._off:
                continue
            for values, rendered in zip(self.values, others):
                try:
                    values[metric.id][where[fresh]] = metric.measure(real, rendered)[fresh]
                except Unavailable as reason:
                    self._off[metric.id] = f"{reason}."
                    break
        self._waiting = self._waiting[-1:]
        self._kept = 1

    def losses(self, rival: int) -> tuple[npt.NDArray[np.float64], Metric]:
        """By how much the engine is worse than another column in each frame ``[T]`` (negative: better), in
        the measure nearest to a person's eye that there is, and which that is."""
        known = {m.id: m for m in self._metrics if m.id not in self._off}
        chosen = known[next(name for name in JUDGES if name in known)]
        ours, theirs = self.values[0][chosen.id], self.values[rival][chosen.id]
        return (ours - theirs if chosen.better == "lower" else theirs - ours), chosen


class _CropBank:
    """Aligned crops of the training frames that are shown as baseline, kept on disk while needed."""

    def __init__(
        self, judged: Judged, frames: npt.NDArray[np.integer], size: int, progress: Progress
    ) -> None:
        self._judged, self._size, self._progress = judged, size, progress
        self._row = {int(frame): row for row, frame in enumerate(np.unique(frames))}
        self._folder = TemporaryDirectory(prefix="avatar-evaluate-", ignore_cleanup_errors=True)
        self._crops: npt.NDArray[np.uint8] | None = None

    def __enter__(self) -> _CropBank:
        path = Path(self._folder.name) / "crops.raw"
        shape = (len(self._row), self._size, self._size, 3)
        self._crops = np.memmap(path, np.uint8, "w+", shape=shape)
        for frame, source in read_selected(self._judged.video, list(self._row)):
            self._crops[self._row[frame]] = cut_view(
                source, self._judged.sequence.crop_view(frame, self._size)
            )
            self._progress(self._row[frame] + 1, len(self._row), "reading nearest training frames")
        return self

    def __exit__(self, *ended: object) -> None:
        self._crops = None
        self._folder.cleanup()

    def __getitem__(self, frame: int) -> Picture:
        assert self._crops is not None
        return np.asarray(self._crops[self._row[frame]])


def _measurable(
    settings: EvaluateSettings, judged: Judged, assets: AssetLibrary | None
) -> tuple[list[Metric], dict[str, str]]:
    """The metrics, LPIPS with its trunk, and why some are off."""
    off: dict[str, str] = {}
    metrics = []
    for metric in METRICS:
        if metric.needs == "perceptual_weights":
            name = f"lpips-{settings.lpips}"
            absent = assets.missing(name) if assets else None
            if absent:
                off[metric.id] = absent
            path = assets.find(name) if assets and not absent else None
            metric = replace(metric, measure=lpips_with(path, settings.lpips))
        elif metric.needs == "masks" and judged.masks is None:
            off[metric.id] = "The clip has no person masks."
        metrics.append(metric)
    return metrics, off


def _identity(assets: AssetLibrary | None, off: dict[str, str]) -> IdentityNetwork | None:
    name = "identity-mobilefacenet"
    path = assets.find(name) if assets else None
    absent = assets.missing(name) if assets else None
    if path is None or absent:
        off["csim"] = absent or "CSIM is off because no face identity network is on this machine."
        return None
    try:
        return MobileFaceNet(path)
    except Unavailable as reason:
        off["csim"] = f"{reason}."
        return None


def _same_head(head: HeadModel | None, sequence: TrackedSequence, off: dict[str, str]) -> HeadModel | None:
    """The clip's head model, or None when the clip was fitted with one that is not at hand."""
    model = head or builtin_head()
    if model.id != sequence.head_model:
        for metric in METRICS:
            if metric.needs == "motion":
                off[metric.id] = (
                    f"The clip was fitted with the head model {sequence.head_model}, not {model.id}."
                )
        return None
    return model


def _tracker(make: Callable[[], Tracker] | None, stack: ExitStack) -> Tracker:
    if make is None:
        from studio.tracking.mediapipe_tracker import MediapipeTracker

        tracker: Tracker = Settled(MediapipeTracker(max_faces=1))
    else:
        tracker = make()
    stack.callback(tracker.close)
    return tracker


def _tracked(
    metrics: Sequence[Metric], real: Observed, rendered: Observed, off: dict[str, str]
) -> dict[str, npt.NDArray[np.float64]]:
    """Values of the metrics that look at whole tracks."""
    values = {}
    for metric in metrics:
        if metric.needs in _STREAMED or metric.id in off:
            continue
        if metric.needs == "motion" and (real.motion is None or rendered.motion is None):
            values[metric.id] = np.full(len(real.frames), np.nan)
            continue
        try:
            values[metric.id] = metric.measure(real, rendered)
        except Unavailable as reason:
            off[metric.id] = f"{reason}."
    return values


def _means(
    metrics: Sequence[Metric],
    values: Mapping[str, npt.NDArray[np.float64]],
    missing: npt.NDArray[np.bool_],
    off: dict[str, str],
) -> dict[str, float]:
    """Mean of each metric; what has no finite mean is off, and said so."""
    means = {}
    for metric in metrics:
        if metric.id in off or metric.id not in values:
            continue
        summary = summarise(metric, values[metric.id], missing)
        if np.isfinite(summary.mean):
            means[metric.id] = summary.mean
        elif np.isinf(summary.mean):
            off[metric.id] = f"{metric.title} is infinite because a rendering equals the real frame."
        else:
            off[metric.id] = f"{metric.title} has no value on any frame: {_why_none(metric, missing)}."
    return means


def _why_none(metric: Metric, missing: npt.NDArray[np.bool_]) -> str:
    if metric.needs in ("landmarks", "motion", "identity") and missing.any():
        return "no face was found in the renderings"
    return "no face was found in the real crops, or there are no neighbouring frames"


def _usual_fault(sequence: TrackedSequence, frames: slice) -> str:
    """The commonest reason why frames are flagged, as a clause."""
    flags = sequence.flags[frames]
    counts = {flag: int(((flags & int(flag)) != 0).sum()) for flag in FLAG_SENTENCES}
    worst: Flag = max(counts, key=lambda flag: counts[flag])
    return f"in {counts[worst]} of {len(flags)} {FLAG_SENTENCES[worst]}"
