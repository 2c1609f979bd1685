"""View consistency as tables and as a sheet of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from pipelines.sheet_file import Picture, text_line, write_png
from pipelines.turned_views import CLIP, TRUTH
from pipelines.view_consistency import FAR, NEAR, ConsistencyReport, Turn

CELL = 128
"""Height of a picture on the sheet in pixels."""
DEFINITION = (
    "Shape: RMS distance over landmarks from the mean over the views, every picture fitted by itself, size "
    "and pose apart (in brackets as a share of the distance between the eyes); as seen: the same in the "
    "picture alone, from the mean shape turned rigidly. Identity: 1 - cosine of the embedding against the "
    "frontal view. Neighbours: PSNR of each view's face carried over to the next by the tracked mesh. "
    "Lower is better but for neighbours; means are over the views that there are. The clip's own frames and "
    "the true head are not zero either: that is what tracker and identity network add."
)
_NONE = "–"


def consistency_table(report: ConsistencyReport) -> str:
    """Markdown: means of every turn, then shape and identity view by view, and what must be said."""
    near, far = f"±{NEAR:.0f}°", f"±{FAR:.0f}°"
    heads = [
        *("whose", "turned by", "face", f"shape {near} (mm)", f"shape {far} (mm)", f"as seen {far} (mm)"),
        *(f"identity {near}", f"identity {far}", f"neighbours {far} (dB)", "no face"),
    ]
    rule = "|---|---|---|" + "---:|" * (len(heads) - 3)
    lines = [f"{report.title}.", "", "| " + " | ".join(heads) + " |", rule]
    for turn in report.turns:
        cells = [
            *(turn.name, turn.turned, turn.face),
            *(_share(_mean(report, turn, "shape", within), report) for within in (NEAR, FAR)),
            _figure(_mean(report, turn, "seen", FAR), 2),
            *(_figure(_mean(report, turn, "identity", within), 3) for within in (NEAR, FAR)),
            _figure(_mean(report, turn, "neighbours", FAR), 1),
            f"{turn.missed} of {sum(turn.drawn)}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", *_by_view(report), "", DEFINITION, *_said(report)]
    return "\n".join(lines)


def _by_view(report: ConsistencyReport) -> list[str]:
    """Shape in mm / identity drift, a row for each yaw."""
    names = [title(turn) for turn in report.turns]
    lines = [
        "Shape (mm) / identity drift, view by view:",
        "",
        "| yaw | " + " | ".join(names) + " |",
        "|---:|" + "---:|" * len(names),
    ]
    for k, yaw in enumerate(report.yaws):
        cells = []
        for turn in report.turns:
            if not turn.drawn[k]:
                cells.append("")
            elif not turn.found[k]:
                cells.append("no face")
            else:
                cells.append(f"{_value(turn.shape[k], 2)} / {_value(turn.identity[k], 3)}")
        lines.append(f"| {yaw:+.0f}° | " + " | ".join(cells) + " |")
    return lines


def _said(report: ConsistencyReport) -> list[str]:
    low, high = report.covered
    covered = f"The clip shows yaw from {low:.0f}° to {high:.0f}°; beyond that avatars extrapolate."
    lines = [f"{covered} Eye distance: {report.eye_distance:.1f} mm."]
    for turn in report.turns:
        if turn.missed:
            where = [f"{yaw:+.0f}°" for yaw, d, f in zip(report.yaws, turn.drawn, turn.found) if d and not f]
            lines.append(f"{title(turn)}: no face was found at {', '.join(where)}.")
        absent = [f"{yaw:+.0f}°" for yaw, drawn in zip(report.yaws, turn.drawn) if not drawn]
        if absent:
            lines.append(f"The clip has no good frame at {', '.join(absent)}.")
    if report.off:
        lines.append(report.off)
    return lines


def title(turn: Turn) -> str:
    """What a turn is called where one name must do."""
    if turn.name in (CLIP, TRUTH):
        return {CLIP: "the clip's own frames", TRUTH: "the true head"}[turn.name]
    return f"{turn.name}, {turn.turned} turned, {turn.face}"


class ViewSheet:
    """Collects the pictures of every turn; a row each, a column for each yaw."""

    def __init__(self, yaws: Sequence[float]) -> None:
        """``yaws``: of the views, in order."""
        self._yaws = yaws
        self._rows: list[tuple[Turn, list[Picture | None]]] = []

    def add(self, turn: Turn, pictures: list[Picture | None]) -> None:
        """One turn and its pictures ``[H, W, 3]``, shrunk at once."""
        self._rows.append((turn, [None if p is None else _small(p) for p in pictures]))

    def save(self, path: Path) -> None:
        """Write the PNG, aside and renamed. Raises Problem when the disk says no."""
        shown = [p for _, row in self._rows for p in row if p is not None]
        width = max(p.shape[1] for p in shown)
        parts = []
        for turn, row in self._rows:
            cells = []
            for k, yaw in enumerate(self._yaws):
                word = f"{yaw:+.0f}" if not turn.drawn[k] or turn.found[k] else f"{yaw:+.0f} no face"
                picture = row[k]
                blank = np.full((CELL, width, 3), 24, np.uint8)
                if picture is not None:
                    left = (width - picture.shape[1]) // 2
                    blank[:, left : left + picture.shape[1]] = picture
                cells.append(np.concatenate([text_line(word, width), blank]))
            body = np.concatenate(cells, 1)
            parts += [text_line(title(turn), body.shape[1]), body]
        write_png(path, np.concatenate(parts))


def _small(picture: Picture) -> Picture:
    width = round(picture.shape[1] * CELL / picture.shape[0])
    return np.asarray(cv2.resize(picture, (width, CELL), interpolation=cv2.INTER_AREA), np.uint8)


def _mean(report: ConsistencyReport, turn: Turn, name: str, within: float) -> float:
    return turn.mean(getattr(turn, name), report.yaws, within)


def _figure(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else _NONE


def _value(value: float | None, digits: int) -> str:
    return _NONE if value is None else f"{value:.{digits}f}"


def _share(value: float, report: ConsistencyReport) -> str:
    """Millimetres, and the share of the eye distance."""
    if not np.isfinite(value):
        return _NONE
    return f"{value:.2f} ({value / report.eye_distance:.1%})"
