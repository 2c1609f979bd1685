"""Sweeps as a table and as a picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.clip_quantities import HEAD
from pipelines.sheet_file import write_png
from pipelines.sweep_avatar import CORRELATION, LEAK, Sweep, SweepReport

COLUMNS = 7
"""Pictures in a row."""
CELL = 224
"""Side of each in pixels."""

HEADINGS = (
    *("swept", "asked", "correlation", "gain", "mean leak", "worst leak"),
    *("in the clip", "beyond it", "true head", "beyond it", "flat", "other true faces", "reached"),
)
DEFINITION = (
    "Leak is what should have stood still: how far the other group moved (head: yaw and pitch; face: jaw and "
    "expression directions), 5th to 95th percentile over the sweep, as a share of the same range over the "
    "clip. In the clip: how much goes along with the same turn in its real frames (tracker's bias and "
    "habits); beyond it: the worst leak that this does not explain. True head, where it is known: what the "
    "tracker reads from it when it turns rigidly; beyond it: the avatar's own leak, which that leaves over; "
    "flat: the same read from x and y alone, because trackers guess depth. "
    "Other true faces: the least and the most that the true head with the somewhat other face of another "
    "moment, which stands still as well, is judged to leak by the same rule."
)


def sweep_table(report: SweepReport) -> str:
    """Markdown: a row per sweep, and what the measuring itself adds."""
    lines = [
        f"{report.title}, {report.engine} avatar.",
        "",
        "| " + " | ".join(HEADINGS) + " |",
        "|---|---|---:|---:|---:|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for sweep in report.sweeps:
        name, worst = sweep.worst_leak
        shares = (sweep.clip_leak, sweep.beyond_clip, sweep.rigid_leak, sweep.beyond_rigid, sweep.beyond_flat)
        worsts = " | ".join(f"{max(share.values()):.0%}" if share else "" for share in shares)
        lines.append(
            f"| {sweep.name} | {sweep.asked[0]:.1f} to {sweep.asked[-1]:.1f} {sweep.unit} "
            f"| {sweep.correlation:.3f} | {sweep.gain:.2f} | {sweep.mean_leak:.0%} | {worst:.0%} {name} "
            f"| {worsts} | {_floor(sweep)} | {'yes' if sweep.reached else 'no'} |"
        )
    lines += ["", DEFINITION]
    for sweep in report.sweeps:
        if sweep.missed:
            lines.append(f"{sweep.name}: no face was found in {sweep.missed} of {len(sweep.asked)} steps.")
    lines += [f"Not swept: {name} ({why})." for name, why in report.left_out.items()]
    still = ", ".join(f"{name} {share:.0%}" for name, share in report.still.items())
    lines.append(f"Standing still, the measuring alone moves {still}.")
    if report.reread:
        again = ", ".join(f"{name} {r:.3f} ({gain:.2f})" for name, (r, gain) in report.reread.items())
        lines.append(f"Real frames read back in the stage, correlation (gain): {again}.")
    count = sum(sweep.reached for sweep in report.sweeps)
    lines.append(
        f"Correlation of at least {CORRELATION:g} and every leak below {LEAK:.0%}: "
        f"{count} of {len(report.sweeps)} sweeps."
    )
    return "\n".join(lines)


def _floor(sweep: Sweep) -> str:
    """Worst leak of the least and the most leaking true face."""
    if not sweep.other_truths:
        return ""
    worst = np.array([*sweep.other_truths.values()]).max(0)
    return f"{worst.min():.0%} to {worst.max():.0%}"


class SweepPicture:
    """Collects pictures as they pass by; two rows: yaw above, the strongest expression direction below."""

    def __init__(self, steps: int) -> None:
        """``steps``: how many each sweep has."""
        self._wanted = np.linspace(0, steps - 1, min(COLUMNS, steps)).round().astype(int).tolist()
        self._rows: dict[str, list[npt.NDArray[np.uint8]]] = {}

    def add(self, name: str, step: int, picture: npt.NDArray[np.uint8]) -> None:
        """One step of a sweep, ``[H, W, 3]``."""
        if step in self._wanted:
            small = cv2.resize(picture, (CELL, CELL), interpolation=cv2.INTER_AREA)
            self._rows.setdefault(name, []).append(np.asarray(small, np.uint8))

    def save(self, path: Path, report: SweepReport) -> None:
        """Write the PNG, aside and renamed. Raises Problem when the disk says no."""
        turns = [s.name for s in report.sweeps if s.group == HEAD]
        # Directions before the jaw: the jaw is a control of its own, directions are whole expressions.
        faces = [s.name for s in report.sweeps if s.group != HEAD]
        shown = [*turns[:1], *sorted(faces, key=lambda name: not name.startswith("expression"))[:1]]
        sheet = np.concatenate([np.concatenate(self._rows[name], 1) for name in shown])
        write_png(path, sheet)
