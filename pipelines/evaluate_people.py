"""How well one picture of a person whom nobody trained on can be driven, and by whom best.

Same identity: a clip's picture is driven by the clip's other frames, which are then the truth. Cross
identity:
it is driven by somebody else's clip; then there is no truth, but expression and pose have to be the driver's
and the person has to stay the same. Every contender goes through the same frames and the same code.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from pipelines.one_picture import OnePicture, motion_at, picture_of_clip
from pipelines.people_contenders import Contender, Driven, Pictures
from pipelines.people_evaluation_settings import PeopleEvaluationSettings, Source
from pipelines.people_observing import Observer
from studio.assets import AssetLibrary
from studio.domain.camera import rotation_from_angles
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.head import HeadModel, builtin_head
from studio.metrics import METRICS, Metric, Observed, Unavailable
from studio.metrics.identity import IdentityNetwork, MobileFaceNet
from studio.metrics.perceptual import lpips_with
from studio.tracking.tracker import Settled, Tracker

if TYPE_CHECKING:
    from studio.corpus.corpus import CorpusClip

SAME = (
    *("psnr", "psnr_person", "ssim", "haarpsi", "lpips", "akd", "akd_mouth", "aed", "apd"),
    *("pose_degrees", "csim", "sharpness_ratio", "face_found"),
)
"""Measures against the true frame. Those over time are missing: the frames are no neighbours."""
CROSS = ("aed", "apd", "pose_degrees", "csim", "face_found")
"""Measures without one: expression and pose against the driver's, identity against the source picture."""
CEILING = 100.0
"""PSNR, dB, at which a picture that equals the real one is entered."""

Values = Mapping[str, npt.NDArray[np.float64]]
"""Metric id to ``[T]``."""


@dataclass(frozen=True)
class Driving:
    """One picture driven through T frames, by every contender."""

    clip: str
    """Name of the clip that the picture is from."""
    driver: str
    """Name of the clip that drives; the same for same-identity figures."""
    source_frame: int
    """Which frame the picture is."""
    frames: tuple[int, ...]
    """T driving frames."""
    turned: npt.NDArray[np.float64]
    """``[T]`` degrees between the head's direction in the picture and in the frame."""
    values: Mapping[str, Values]
    """Contender to its values; NaN where no face was found in the real frame."""
    lost: Mapping[str, int]
    """Contender to how many of its pictures showed no face where the real one did; they entered with the
    worst value of all pictures of all contenders."""


@dataclass(frozen=True)
class PeopleEvaluation:
    """All figures of one comparison."""

    contenders: tuple[str, ...]
    """In the order of the tables."""
    same: tuple[Driving, ...]
    """Same-identity figures, a clip each."""
    cross: tuple[Driving, ...]
    """Cross-identity figures, a pair of clips each."""
    frames_per_second: Mapping[str, float]
    """Contender to the speed of drawing on this machine, its avatar being made."""
    off: Mapping[str, str]
    """Metric id to why it is missing."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What the figures depend on."""

    def means(self, drivings: Sequence[Driving]) -> dict[str, dict[str, float]]:
        """Contender to metric to its mean: over the frames of each clip, then over clips."""
        found: dict[str, dict[str, float]] = {}
        for name in self.contenders:
            found[name] = {}
            for metric in drivings[0].values[name] if drivings else ():
                clips = [d.values[name][metric] for d in drivings]
                clips = [values[np.isfinite(values)] for values in clips]
                clips = [values for values in clips if len(values)]
                if clips:
                    found[name][metric] = float(np.mean([values.mean() for values in clips]))
        return found

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "contenders": list(self.contenders),
            "same_identity": self.means(self.same),
            "cross_identity": self.means(self.cross),
            "frames_per_second": dict(self.frames_per_second),
            "off": dict(self.off),
            "settings": dict(self.settings),
            "clips": [_told(driving) for driving in self.same],
            "pairs": [_told(driving) for driving in self.cross],
        }


class PeopleWitness(Protocol):
    """Is shown the pictures, for whoever wants more than means."""

    def saw(self, driving: str, person: OnePicture, real: Pictures, drawn: Mapping[str, Pictures]) -> None:
        """``driving``: in words; ``real`` and each contender's ``[T, S, S, 3]``."""


def evaluate_people(
    clips: Sequence[CorpusClip],
    contenders: Sequence[Contender],
    side: int,
    settings: PeopleEvaluationSettings | None = None,
    *,
    model: HeadModel | None = None,
    assets: AssetLibrary | None = None,
    new_tracker: Callable[[], Tracker] | None = None,
    witness: PeopleWitness | None = None,
    about: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> PeopleEvaluation:
    """Compare contenders on clips of people.

    Args:
        clips: held-out ones of a corpus.
        contenders: at least one, with different names.
        side: of the compared pictures, pixels: what the networks draw.
        settings: see :class:`PeopleEvaluationSettings`.
        model: the corpus' head model; the built-in one when None.
        assets: where weights of LPIPS and of the identity network are looked for; None for none.
        new_tracker: makes the tracker that looks at pictures; MediaPipe, at each picture by itself until its
            landmarks stay, when None.
        witness: shown every picture.
        about: what was compared, as JSON values, for the report.
        progress: told after every clip.

    Raises:
        Problem: no clip has two good frames, or one cannot be read.
    """
    chosen = settings or PeopleEvaluationSettings()
    head = model or builtin_head()
    usable = [clip for clip in clips if int(np.asarray(clip.good).sum()) >= 2]
    if not usable:
        raise Problem("None of the clips has two good frames: there is nobody to compare on.")
    usable = _spread(usable, chosen.clips)
    metrics, identity, off = _measurable(chosen, assets)
    with ExitStack() as stack:
        tracker = _new_tracker(new_tracker)
        stack.callback(tracker.close)
        comparing = _Comparing(
            contenders, side, chosen, metrics, Observer(tracker, head, identity), off, witness
        )
        pairs = _cross_pairs(usable) if chosen.cross_frames else []
        total = len(usable) + len(pairs)
        same: list[Driving] = []
        cross: list[Driving] = []
        for clip in usable:
            progress(len(same), total, "driving pictures of people by themselves")
            same.append(comparing.same(clip))
        for clip, other in pairs:
            progress(len(same) + len(cross), total, "driving pictures of people by others")
            cross.append(comparing.cross(clip, other))
        progress(total, total, "driving pictures of people by others")
    names = tuple(contender.name for contender in contenders)
    return PeopleEvaluation(
        contenders=names,
        same=penalised(same, metrics),
        cross=penalised(cross, metrics),
        frames_per_second=comparing.speed(),
        off=off,
        settings={
            "side": side,
            **asdict(chosen),
            "clips": [clip.name for clip in usable],
            "tracker": tracker.name,
            "head_model": head.id,
            "identity_network": identity.name if identity else None,
            **(about or {}),
        },
    )


def source_frame(clip: CorpusClip, source: Source) -> int:
    """The frame that is the picture: the first good one, or the one whose head is turned farthest."""
    good = np.flatnonzero(clip.good)
    if source == "first":
        return int(good[0])
    front = np.zeros((len(good), 3), np.float32)
    return int(good[turned_degrees(clip.motion.angles[good], front).argmax()])


def turned_degrees(
    angles: npt.NDArray[np.floating], others: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """``[T]`` degrees of the one turn that takes head angles ``[T, 3]`` to others ``[T, 3]``."""
    between = np.swapaxes(rotation_from_angles(angles), -1, -2) @ rotation_from_angles(others)
    trace = np.trace(between.astype(np.float64), axis1=-2, axis2=-1)
    return np.rad2deg(np.arccos(np.clip((trace - 1.0) / 2.0, -1.0, 1.0)))


def penalised(drivings: Sequence[Driving], metrics: Sequence[Metric]) -> tuple[Driving, ...]:
    """Drivings in which a picture without a face has the worst value that any picture of any has.

    Before, such a value is infinite. Losing the face must not improve a mean.
    """
    worst: dict[str, float] = {}
    for metric in metrics:
        known = [v[metric.id] for d in drivings for v in d.values.values() if metric.id in v]
        values = np.concatenate([v[np.isfinite(v)] for v in known]) if known else np.zeros(0)
        if metric.worst is not None:
            worst[metric.id] = metric.worst
        elif len(values):
            worst[metric.id] = float(values.min() if metric.better == "higher" else values.max())

    def filled(values: Values) -> dict[str, npt.NDArray[np.float64]]:
        return {name: np.where(np.isinf(v), worst.get(name, np.nan), v) for name, v in values.items()}

    return tuple(replace(d, values={name: filled(v) for name, v in d.values.items()}) for d in drivings)


class _Comparing:
    """The contenders, driven through one clip after the other."""

    def __init__(
        self,
        contenders: Sequence[Contender],
        side: int,
        settings: PeopleEvaluationSettings,
        metrics: Sequence[Metric],
        observer: Observer,
        off: dict[str, str],
        witness: PeopleWitness | None,
    ) -> None:
        self._contenders, self._side, self._settings = contenders, side, settings
        self._observer = observer
        self._metrics = {metric.id: metric for metric in metrics}
        self._off, self._witness = off, witness
        self._spent = {contender.name: [0, 0.0] for contender in contenders}

    def same(self, clip: CorpusClip) -> Driving:
        """The clip's picture, driven by its other frames."""
        side = self._side
        source = source_frame(clip, self._settings.source)
        good = np.flatnonzero(clip.good)
        frames = _evenly(good[good != source], self._settings.frames)
        person = picture_of_clip(clip, source, side)
        motion = motion_at(clip, side).take(frames)
        pictures = np.stack([clip.picture(int(t), side) for t in frames])
        masks = np.stack([clip.mask(int(t), side) for t in frames])
        real = self._observer.see(pictures, person, masks)
        return self._driven(clip.name, clip.name, source, frames, person, motion, real, SAME)

    def cross(self, clip: CorpusClip, driver: CorpusClip) -> Driving:
        """The clip's picture, driven by somebody else."""
        side = self._side
        source = source_frame(clip, self._settings.source)
        frames = _evenly(np.flatnonzero(driver.good), self._settings.cross_frames)
        person = picture_of_clip(clip, source, side)
        motion = motion_at(driver, side).take(frames)
        pictures = np.stack([driver.picture(int(t), side) for t in frames])
        # What the driver does is read off their pictures as it will be off the drawn ones…
        driving = self._observer.see(pictures, picture_of_clip(driver, int(frames[0]), side))
        # … and who it has to be stands in the source picture.
        shown = self._observer.see(person.picture[None], person)
        who = None if shown.embeddings is None else np.repeat(shown.embeddings, len(frames), 0)
        real = replace(driving, embeddings=who)
        return self._driven(clip.name, driver.name, source, frames, person, motion, real, CROSS)

    def speed(self) -> dict[str, float]:
        """Frames a second of each contender so far."""
        return {name: count / spent if spent else 0.0 for name, (count, spent) in self._spent.items()}

    def _driven(
        self,
        name: str,
        driver: str,
        source: int,
        frames: npt.NDArray[np.integer],
        person: OnePicture,
        motion: HeadMotion,
        real: Observed,
        measures: Sequence[str],
    ) -> Driving:
        assert real.landmarks is not None
        seen = np.isfinite(real.landmarks).all((1, 2))
        values: dict[str, Values] = {}
        lost, drawn = {}, {}
        for contender in self._contenders:
            assert real.pictures is not None
            drawn[contender.name] = self._draw(contender.name, contender.of(person), motion, real.pictures)
            rendered = self._observer.see(drawn[contender.name], person)
            assert rendered.landmarks is not None
            missing = seen & ~np.isfinite(rendered.landmarks).all((1, 2))
            lost[contender.name] = int(missing.sum())
            values[contender.name] = self._measured(measures, real, rendered, missing)
        if self._witness is not None:
            assert real.pictures is not None
            who = name if name == driver else f"{name} by {driver}"
            self._witness.saw(who, person, real.pictures, drawn)
        at = np.repeat(person.motion.angles, len(frames), 0)
        return Driving(
            clip=name,
            driver=driver,
            source_frame=source,
            frames=tuple(int(t) for t in frames),
            turned=turned_degrees(at, motion.angles),
            values=values,
            lost=lost,
        )

    def _draw(self, name: str, driven: Driven, motion: HeadMotion, frames: Pictures) -> Pictures:
        driven(motion.take(slice(0, 1)), frames[:1])  # pays for compiling, which is no contender's speed
        began = time.perf_counter()
        pictures = driven(motion, frames)
        spent = self._spent[name]
        spent[0] += len(pictures)
        spent[1] += time.perf_counter() - began
        return pictures

    def _measured(
        self,
        measures: Sequence[str],
        real: Observed,
        rendered: Observed,
        missing: npt.NDArray[np.bool_],
    ) -> Values:
        values: dict[str, npt.NDArray[np.float64]] = {}
        for name in measures:
            if name in self._off:
                continue
            metric = self._metrics[name]
            try:
                measured = np.array(metric.measure(real, rendered), np.float64)
            except Unavailable as reason:
                self._off[name] = f"{reason}."
                continue
            if metric.needs in ("landmarks", "motion", "identity"):
                measured[missing & np.isnan(measured)] = np.inf
            elif name.startswith("psnr"):
                measured = np.minimum(measured, CEILING)
            values[name] = measured
        return values


def _measurable(
    settings: PeopleEvaluationSettings, assets: AssetLibrary | None
) -> tuple[list[Metric], IdentityNetwork | None, dict[str, str]]:
    off: dict[str, str] = {}
    metrics = [metric for metric in METRICS if metric.id in SAME]
    name = f"lpips-{settings.lpips}"
    if assets is None:
        off["lpips"] = "LPIPS is off because no weights were looked for."
        off["csim"] = "CSIM is off because no weights were looked for."
        return metrics, None, off
    absent, path = assets.missing(name), assets.find(name)
    if absent or path is None:
        off["lpips"] = absent or f"LPIPS is off because {name} is not on this machine."
    else:
        measure = lpips_with(path, settings.lpips)
        metrics = [replace(m, measure=measure) if m.id == "lpips" else m for m in metrics]
    name = "identity-mobilefacenet"
    absent, path = assets.missing(name), assets.find(name)
    if absent or path is None:
        off["csim"] = absent or "CSIM is off because no face identity network is on this machine."
        return metrics, None, off
    try:
        return metrics, MobileFaceNet(path), off
    except Unavailable as reason:
        off["csim"] = f"{reason}."
        return metrics, None, off


def _cross_pairs(clips: Sequence[CorpusClip]) -> list[tuple[CorpusClip, CorpusClip]]:
    """Who is shown and who drives: every clip drives one other person; none where all are one person."""
    from studio.corpus.pairs import CrossIdentityPairs

    if len({clip.identity for clip in clips}) < 2:
        return []
    return [(pair.source, pair.driving) for pair in CrossIdentityPairs(clips)]


def _new_tracker(make: Callable[[], Tracker] | None) -> Tracker:
    if make is not None:
        return make()
    from studio.tracking.mediapipe_tracker import MediapipeTracker

    # The frames are no neighbours: where a face was says little about where it is. A single look, from a
    # detector's rough box, is off by more than what is compared: of real frames themselves it reads
    # expressions 0.9 deviations from those that drive, settled ones 0.3.
    mesh = MediapipeTracker(max_faces=1)
    return Settled(mesh, mesh.forget)


def _evenly(frames: npt.NDArray[np.integer], count: int) -> npt.NDArray[np.integer]:
    """At most ``count`` of some frames, spread evenly over them."""
    places = np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int)
    return frames[np.unique(places)]


def _spread(clips: Sequence[CorpusClip], most: int) -> list[CorpusClip]:
    count = min(most or len(clips), len(clips))
    places = np.unique(np.linspace(0, len(clips) - 1, count).round().astype(int))
    return [clips[place] for place in places]


def _told(driving: Driving) -> dict[str, Any]:
    plain = {
        name: {metric: _plain(values) for metric, values in by.items()} for name, by in driving.values.items()
    }
    return {
        "clip": driving.clip,
        "driver": driving.driver,
        "source_frame": driving.source_frame,
        "frames": list(driving.frames),
        "turned": _plain(driving.turned),
        "lost": dict(driving.lost),
        "values": plain,
    }


def _plain(values: npt.NDArray[np.float64]) -> list[float | None]:
    return [float(round(value, 5)) if np.isfinite(value) else None for value in values.tolist()]
