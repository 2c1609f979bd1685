"""Control files: keyframes in JSON to a ControlTrack. docs/controls.md explains them to their writers.

::

    {"rate": "30000/1001", "ease": "smooth",
     "keyframes": [{"time": 0, "yaw": 0}, {"time": 1.5, "yaw": 25, "smile": 0.8}, {"time": 3, "yaw": 0}]}

Each keyframe names the controls it sets; every control runs through its own keyframes, begins neutral at time
0 unless a keyframe there says otherwise, and keeps its last value. Semantic handles (``smile``, ``blink``…)
are controls too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.control_names import near_names, unit_of
from studio.domain.camera import Floats
from studio.domain.controls import HEAD_NAMES, Control, ControlSheet, ControlTrack
from studio.domain.edits import GROUP, PREFIX
from studio.domain.free_camera import CAMERA_NAMES
from studio.domain.problem import Problem
from studio.head.sheet import carried_by_one_picture

if TYPE_CHECKING:
    from studio.head import Handle

LONGEST = 3600.0
"""Seconds that a control file may last."""
RATES = (1, 240)
"""Frames per second that it may ask for."""
EASES = ("smooth", "linear")
"""How values go from one keyframe to the next."""
ENTRIES = ("rate", "ease", "seconds", "keyframes")
"""What may stand at the top of the file."""
FAR = {"angle": 10.0, "coefficient": 1.0, "amount": 0.25, "length": 0.03}
"""How far beyond what the clip showed is far, by kind of control and in its unit; half the width of what was
shown counts, too."""


@dataclass(frozen=True)
class ControlFile:
    """What a control file says, before anybody knows which avatar it is for."""

    name: str
    """The file's name, for sentences about it."""
    rate: Fraction
    """Frames per second."""
    ease: str
    """One of :data:`EASES`."""
    seconds: float | None
    """Length, None for up to the last keyframe."""
    keyframes: tuple[tuple[float, Mapping[str, float]], ...]
    """Time in seconds and what is set there, as they stand in the file."""

    @property
    def frames(self) -> int:
        """Pictures in the video."""
        last = max(time for time, _ in self.keyframes)
        return round((self.seconds if self.seconds is not None else last) * self.rate)


def open_control_file(path: Path) -> ControlFile:
    """Read a control file as far as it can be understood without an avatar.

    Raises:
        Problem: it is missing, not text, not JSON, or an entry makes no sense.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise Problem(f"There is no control file {path}: check the name.") from error
    except UnicodeDecodeError as error:
        raise Problem(f"The control file {path} is not a text file: choose a JSON file.") from error
    except OSError as error:
        raise Problem(
            f"The control file {path} cannot be read ({error.strerror}): choose a JSON file."
        ) from error
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Problem(f"The control file {path.name} is not valid JSON: look at {place}.") from error
    except (ValueError, RecursionError) as error:
        raise Problem(f"The control file {path.name} is not valid JSON that can be understood.") from error
    try:
        return _understand(path.name, content)
    except _Wrong as wrong:
        raise Problem(f"The control file {path.name} is not right: {wrong}") from None


def read_control_file(
    path: Path,
    sheet: ControlSheet,
    handles: Mapping[str, Handle],
    tell: Callable[[str], object] = lambda _: None,
) -> ControlTrack:
    """Read keyframes.

    Args:
        path: the JSON file.
        sheet: the avatar's controls; values beyond their limits are held at the limit.
        handles: the head model's semantic handles; held at their limits, too.
        tell: hears one sentence about values that are held at limits, and one about those that are far from
            anything the avatar's clip showed.

    Returns:
        A track from time 0 to the last keyframe (or ``seconds``), in the sheet's column order. ``smooth`` is
        a monotone cubic (Fritsch and Carlson 1980): it never overshoots a keyframe.

    Raises:
        Problem: unreadable, not JSON, or a name or value that makes no sense.
    """
    file = open_control_file(path)
    controls = {control.name: control for control in sheet.controls}
    handles = {name: handle for name, handle in handles.items() if name not in controls}
    curves = _curves(file, controls, handles)
    if file.frames < 2:
        raise Problem(
            f"The control file {path.name} lasts for less than two frames: give it a later keyframe, or a "
            f'length with "seconds", for example "seconds": {max(1, math.ceil(2 / file.rate))}.'
        )
    times = np.arange(file.frames) / float(file.rate)
    values = np.tile(sheet.neutral().values, (len(times), 1))
    for name in controls.keys() & curves.keys():
        values[:, sheet.names.index(name)] = _interpolate(*curves[name], times, file.ease)
    for name in handles.keys() & curves.keys():
        _add_handle(values, handles[name], _interpolate(*curves[name], times, file.ease))
    low, high = (np.array([getattr(c, side) for c in sheet.controls]) for side in ("low", "high"))
    held = np.clip(values, low, high).astype(np.float32)
    _tell_held(file, controls, handles, values, held, tell)
    tell_unseen(curves, sheet, held, tell)
    return ControlTrack(sheet.names, held, file.rate)


class _Wrong(Exception):
    """What is wrong with the content, to be put behind the file's name."""


def _understand(name: str, content: Any) -> ControlFile:
    if not isinstance(content, dict):
        raise _Wrong('it must be an object in braces, { }, that holds "keyframes".')
    for entry in content:
        if entry not in ENTRIES:
            raise _Wrong(f"it has an entry “{entry}”, which means nothing here: use {', '.join(ENTRIES)}.")
    ease = content.get("ease", EASES[0])
    if ease not in EASES:
        raise _Wrong(f"ease must be {' or '.join(EASES)}, not {_quoted(ease)}.")
    seconds = content.get("seconds")
    if seconds is not None:
        seconds = _number(seconds, "seconds")
        if not 0 < seconds <= LONGEST:
            raise _Wrong(f"seconds must be more than 0 and at most {LONGEST:g}, not {seconds:g}.")
    frames = content.get("keyframes")
    if not isinstance(frames, list) or not frames:
        raise _Wrong('"keyframes" must be a list in brackets, [ ], with at least one keyframe.')
    keyframes = tuple(_keyframe(number, frame) for number, frame in enumerate(frames, 1))
    return ControlFile(name, _rate(content.get("rate", 30)), ease, seconds, keyframes)


def _rate(rate: Any) -> Fraction:
    low, high = RATES
    wrong = _Wrong(
        f"rate must be {low} to {high} frames per second, like 25 or 30000/1001, not {_quoted(rate)}."
    )
    if isinstance(rate, bool) or not isinstance(rate, int | float | str):
        raise wrong
    try:
        exact = Fraction(str(rate)).limit_denominator(100_000)
    except (ValueError, ZeroDivisionError, OverflowError):
        raise wrong from None
    if not low <= exact <= high:
        raise wrong
    return exact


def _keyframe(number: int, frame: Any) -> tuple[float, dict[str, float]]:
    where = f"keyframe {number}"
    if not isinstance(frame, dict):
        raise _Wrong(f'{where} must be an object in braces, like {{"time": 1.5, "yaw": 25}}.')
    if "time" not in frame:
        raise _Wrong(f'{where} has no "time": say at which second it is.')
    time = _number(frame["time"], f"time of {where}")
    if not 0 <= time <= LONGEST:
        raise _Wrong(f"time of {where} must be from 0 to {LONGEST:g} seconds, not {time:g}.")
    return time, {name: _number(v, f"{name} of {where}") for name, v in frame.items() if name != "time"}


def _number(value: Any, what: str) -> float:
    try:
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _Wrong(f"{what} must be a number, not {_quoted(value)}.")
    return number


def _quoted(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}…"


Curves = dict[str, tuple[list[float], list[float]]]
"""Name to times in seconds and values there, in order of time."""


def _curves(file: ControlFile, controls: Mapping[str, Control], handles: Mapping[str, Handle]) -> Curves:
    curves: dict[str, dict[float, float]] = {}
    for time, changes in file.keyframes:
        for name, value in changes.items():
            if name in controls:
                low, high = controls[name].low, controls[name].high
                neutral = controls[name].default
            elif name in handles:
                low, high, neutral = handles[name].low, handles[name].high, 0.0
            elif name in CAMERA_NAMES:
                raise Problem(
                    f"The control file {file.name} moves the camera (“{name}”), which cannot go around this "
                    "avatar: leave it out, or choose an engine whose avatars have depth."
                )
            elif name.startswith(PREFIX):
                raise Problem(_no_edit(file, name, [n for n, c in controls.items() if c.group == GROUP]))
            else:
                near = near_names(name, [*controls, *handles])
                meant = f" Did you mean {' or '.join(f'“{n}”' for n in near)}?" if near else ""
                raise Problem(
                    f"The control file {file.name} names “{name}”, which is no control.{meant} "
                    "python main.py controls lists them all."
                )
            # Whoever mentions a control late has not meant it before.
            curves.setdefault(name, {0.0: neutral})[time] = min(max(value, low), high)
    return {name: (sorted(keys), [keys[t] for t in sorted(keys)]) for name, keys in curves.items()}


def _no_edit(file: ControlFile, name: str, edits: list[str]) -> str:
    """What to say about an edit that the avatar does not have."""
    near = near_names(name, edits, 1)
    meant = f"did you mean “{near[0]}”?" if near else "find it with python main.py edit, or leave it out."
    return f"The control file {file.name} names “{name}”, and this avatar has no such edit: {meant}"


def _interpolate(at: list[float], what: list[float], times: Floats, ease: str) -> Floats:
    if len(at) == 1:
        return np.full(len(times), what[0], np.float32)
    from scipy.interpolate import PchipInterpolator  # loads slowly, and the window reads this module

    held = np.clip(times, at[0], at[-1])
    curve = PchipInterpolator(at, what)(held) if ease == "smooth" else np.interp(held, at, what)
    return np.asarray(curve, np.float32)


def _add_handle(values: Floats, handle: Handle, amount: Floats) -> None:
    """Add a handle's ``[T]`` amount to controls ``[T, >=63]`` (columns HEAD_NAMES first), in place."""
    first = {name: i for i, name in enumerate(HEAD_NAMES)}
    values[:, first["expression_00"] : first["expression_00"] + len(handle.expression)] += (
        amount[:, None] * handle.expression
    )
    jaw = np.rad2deg(handle.jaw)[[0, 2, 1]]  # columns are open (x), side (z), twist (y)
    values[:, first["jaw_open"] : first["jaw_open"] + 3] += amount[:, None] * jaw
    values[:, first["eyelid_left"] : first["eyelid_left"] + 2] += amount[:, None] * handle.eyelids


def _tell_held(
    file: ControlFile,
    controls: Mapping[str, Control],
    handles: Mapping[str, Handle],
    values: Floats,
    held: Floats,
    tell: Callable[[str], object],
) -> None:
    """Name what went beyond its limits: entries as they stand, and controls where several add up."""
    said: dict[str, str] = {}
    for _, changes in file.keyframes:
        for name, value in changes.items():
            knob: Control | Handle = controls[name] if name in controls else handles[name]
            limit = min(max(value, knob.low), knob.high)
            if limit != value:
                said[name] = f"{name} at {limit:g}{unit_of(knob)} (the file asks for {value:g})"
    for column, control in enumerate(controls.values()):
        excess = np.abs(values[:, column] - held[:, column])
        if control.name not in said and excess.max() > 1e-3:
            limit = float(held[int(excess.argmax()), column])
            said[control.name] = (
                f"{control.name} at {limit:g}{unit_of(control)} (several entries add up to more)"
            )
    if said:
        tell(f"Held at the limit: {'; '.join(said.values())}.")


def tell_unseen(
    asked_for: Collection[str], sheet: ControlSheet, held: Floats, tell: Callable[[str], object]
) -> None:
    """Name what goes far beyond anything the clip showed, or beyond what one picture carries, where a picture
    can only be guessed, and edits that are stronger than suggested, whether that was asked for now or is what
    they rest at.

    Args:
        asked_for: controls that somebody set; others are not spoken of, unless they are edits.
        sheet: the avatar's controls.
        held: ``[T, C]`` values within limits.
        tell: hears a sentence about each of the two, if there is anything to say.
    """
    said = []
    picture = carried_by_one_picture(sheet)
    for column, control in enumerate(sheet.controls):
        if control.name not in asked_for or control.reliable is None or control.group == GROUP:
            continue
        low, high = control.reliable
        # A clip's range is what happened to be seen; a picture's is what it can do.
        slack = 0.0 if picture else max(FAR[control.kind], (high - low) / 2)
        # A neutral face is always fair to ask for.
        asked = _beyond(
            held[:, column], min(low - slack, control.default), max(high + slack, control.default)
        )
        if asked:
            word = "good" if picture else "it showed"
            said.append(f"{control.name} {asked}{unit_of(control)} ({word} {low:.3g} to {high:.3g})")
    if said and picture:
        tell(f"Beyond what one picture carries well, so expect flaws there: {'; '.join(said)}.")
    elif said:
        tell(f"Far beyond what the avatar's clip showed, so expect flaws there: {'; '.join(said)}.")
    tell_strong(sheet, held, tell)


def tell_strong(sheet: ControlSheet, held: Floats, tell: Callable[[str], object]) -> None:
    """Name edits that are stronger than suggested.

    Args:
        sheet: the avatar's controls.
        held: ``[T, C]`` values within limits.
        tell: hears a sentence, if there is anything to say.
    """
    strong = []
    for column, control in enumerate(sheet.controls):
        if control.group == GROUP and control.reliable is not None:
            low, high = control.reliable
            asked = _beyond(held[:, column], min(low, 0.0), max(high, 0.0))
            if asked:
                strong.append(f"{control.name} {asked} (suggested {low:.3g} to {high:.3g})")
    if strong:
        tell(f"{STRONG}: {'; '.join(strong)}.")


STRONG = "Stronger than suggested, where identity, pose and expression may not stay what they are"
"""What it means that an edit goes beyond the strengths within which these were measured to stay, or guessed
where nothing could be measured."""


ROUNDED = 1e-5
"""By which a limit is passed by rounding alone."""


def _beyond(values: Floats, low: float, high: float) -> str:
    """The least and the greatest of values, where they are beyond limits."""
    least, most = float(values.min()), float(values.max())
    far = ((least, least < low - ROUNDED), (most, most > high + ROUNDED))
    return " and ".join(f"{value:.3g}" for value, beyond in far if beyond)
