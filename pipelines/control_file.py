"""Control files: keyframes in JSON to a ControlTrack.

::

    {"rate": "30000/1001", "ease": "smooth",
     "keyframes": [{"time": 0, "yaw": 0}, {"time": 1.5, "yaw": 25, "smile": 0.8}, {"time": 3, "yaw": 0}]}

Each keyframe names the controls it sets; every control runs through its own keyframes and keeps its first and
last value outside them. Semantic handles (``smile``, ``blink``…) are controls too.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from scipy.interpolate import PchipInterpolator

from studio.domain.camera import Floats
from studio.domain.controls import HEAD_NAMES, ControlSheet, ControlTrack
from studio.domain.problem import Problem
from studio.head import Handle

LONGEST = 3600.0
"""Seconds that a control file may last."""


class _Keyframe(BaseModel):
    model_config = ConfigDict(extra="allow", allow_inf_nan=False)
    __pydantic_extra__: dict[str, float] = Field(init=False)
    time: Annotated[float, Field(ge=0, le=LONGEST)]


class _ControlFile(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    rate: str | float = "30"
    ease: Literal["smooth", "linear"] = "smooth"
    seconds: Annotated[float, Field(gt=0, le=LONGEST)] | None = None
    keyframes: Annotated[list[_Keyframe], Field(min_length=1)]


def read_control_file(path: Path, sheet: ControlSheet, handles: Mapping[str, Handle]) -> ControlTrack:
    """Read keyframes.

    Args:
        path: the JSON file.
        sheet: the avatar's controls; values beyond their limits are held at the limit.
        handles: the head model's semantic handles.

    Returns:
        A track from time 0 to the last keyframe (or ``seconds``), in the sheet's column order. ``smooth`` is
        a monotone cubic (Fritsch and Carlson 1980): it never overshoots a keyframe.

    Raises:
        Problem: unreadable, not JSON, or a name or value that makes no sense.
    """
    try:
        content = _ControlFile.model_validate(json.loads(path.read_text(encoding="utf-8-sig")))
        rate = Fraction(str(content.rate)).limit_denominator(100_000)
    except FileNotFoundError as error:
        raise Problem(f"There is no control file {path}; check the name.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"The control file {path} cannot be read ({error}); choose a JSON file.") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Problem(f"The control file {path.name} is not right at {place}: {first['msg']}.") from error
    except (ValueError, ZeroDivisionError) as error:
        raise Problem(f"The control file {path.name} is not valid JSON: {error}.") from error
    if not 1 <= rate <= 240:
        raise Problem(
            f"The control file {path.name} asks for {content.rate} frames per second; use 1 to 240."
        )
    curves = _curves(content, {*sheet.names, *handles}, path)
    length = content.seconds or max(frame.time for frame in content.keyframes)
    times = np.arange(max(1, round(length * rate))) / float(rate)
    values = np.tile(sheet.neutral().values, (len(times), 1))
    column = {name: i for i, name in enumerate(sheet.names)}
    for name, (at, what) in curves.items():
        curve = _interpolate(at, what, times, content.ease)
        if name in column:
            values[:, column[name]] = curve
    for name, (at, what) in curves.items():
        if name in handles and name not in column:
            _add_handle(values, handles[name], _interpolate(at, what, times, content.ease))
    low, high = (np.array([getattr(c, side) for c in sheet.controls]) for side in ("low", "high"))
    return ControlTrack(sheet.names, np.clip(values, low, high).astype(np.float32), rate)


def _curves(content: _ControlFile, known: set[str], path: Path) -> dict[str, tuple[list[float], list[float]]]:
    curves: dict[str, dict[float, float]] = {}
    for frame in content.keyframes:
        for name, value in (frame.__pydantic_extra__ or {}).items():
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                meant = f" Did you mean “{near[0]}”?" if near else ""
                raise Problem(f"The control file {path.name} names “{name}”, which is no control.{meant}")
            curves.setdefault(name, {})[frame.time] = float(value)
    return {name: (sorted(keys), [keys[t] for t in sorted(keys)]) for name, keys in curves.items()}


def _interpolate(at: list[float], what: list[float], times: Floats, ease: str) -> Floats:
    if len(at) == 1:
        return np.full(len(times), what[0], np.float32)
    held = np.clip(times, at[0], at[-1])
    curve = PchipInterpolator(at, what)(held) if ease == "smooth" else np.interp(held, at, what)
    return np.asarray(curve, np.float32)


def _add_handle(values: Floats, handle: Handle, amount: Floats) -> None:
    first = {name: i for i, name in enumerate(HEAD_NAMES)}
    values[:, first["expression_00"] : first["expression_00"] + len(handle.expression)] += (
        amount[:, None] * handle.expression
    )
    jaw = np.rad2deg(handle.jaw)[[0, 2, 1]]  # columns are open (x), side (z), twist (y)
    values[:, first["jaw_open"] : first["jaw_open"] + 3] += amount[:, None] * jaw
    values[:, first["eyelid_left"] : first["eyelid_left"] + 2] += amount[:, None] * handle.eyelids
