"""A comparison of engines as one table, as JSON, and as one sheet of pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.bench_result import Machine
from pipelines.build_times import SOURCE
from pipelines.compare_engines import EngineComparison, KeptFrame, Measured
from pipelines.drawing_memory import FRAMES
from pipelines.evaluation_pictures import Picture, decibels, enlarged
from pipelines.evaluation_report import ARROWS, is_better, name_of
from pipelines.sheet_file import columns_line, write_png
from studio.engines.catalog import ENGINES
from studio.metrics import METRICS, Metric
from studio.project.atomic import explaining_disk, write_json

NEAREST = "nearest training frame"
TABLE, FIGURES = "comparison.md", "comparison.json"
"""Files of a report."""
_MEGABYTE = 1e6


def write_comparison(folder: Path, comparison: EngineComparison, machine: Machine) -> None:
    """The table and the figures in a folder, made if need be. Raises Problem when the disk says no."""
    with explaining_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        aside = folder / f".{TABLE}.part"
        aside.write_text(as_markdown(comparison, machine), encoding="utf-8")
        aside.replace(folder / TABLE)
    write_json(folder / FIGURES, as_json(comparison, machine))


def as_json(comparison: EngineComparison, machine: Machine) -> dict[str, Any]:
    """All figures as JSON values."""
    first = comparison.measured[0].evaluation
    return {
        "subject": comparison.subject,
        "clip": comparison.clip,
        "held_out": list(first.held_out),
        "frames": first.frames,
        "size": first.resolution,
        "machine": asdict(machine),
        "engines": [
            {
                "engine": one.contestant.engine,
                "preset": one.contestant.preset,
                "title": ENGINES[one.contestant.engine].title,
                "evaluation": one.evaluation.to_json(),
                "build": {
                    "seconds": one.build.seconds,
                    "stages": dict(one.build.stages),
                    "source": SOURCE,
                    "found_ready": one.contestant.build.made,
                },
                "memory_gb": {"process": one.memory.process, "card": one.memory.card, "frames": FRAMES},
                "bytes": {"avatar": one.size, "base_model": one.model_size},
            }
            for one in comparison.measured
        ],
        "nearest_frame": dict(first.nearest_frame),
        "lacking": dict(comparison.lacking),
    }


def as_markdown(comparison: EngineComparison, machine: Machine) -> str:
    """One table, a column for each avatar and a row for each figure, and what the figures are."""
    measured = comparison.measured
    first = measured[0].evaluation
    heads = ["", "better", *(one.contestant.name for one in measured), NEAREST]
    lines = [
        _about(comparison, machine),
        "",
        f"| {' | '.join(heads)} |",
        "|---|---|" + "---:|" * (len(heads) - 2),
    ]
    lines += [
        _row(metric, [one.evaluation.metrics for one in measured], first.nearest_frame)
        for metric in METRICS
        if any(metric.id in one.evaluation.metrics for one in measured)
    ]
    figures: Sequence[tuple[str, Callable[[Measured], str]]] = (
        ("frames drawn a second | ↑", lambda one: f"{one.evaluation.fps:.1f}"),
        ("minutes to build | ↓", minutes),
        ("memory while drawing (GB) | ↓", _memory),
        ("its files (MB) | ↓", lambda one: f"{one.size / _MEGABYTE:.1f}"),
        ("base model (MB) | ↓", lambda one: f"{one.model_size / _MEGABYTE:.1f}" if one.model_size else "–"),
    )
    for name, of in figures:
        lines.append(f"| {name} | {' | '.join(of(one) for one in measured)} | – |")
    ready = [one.contestant.name for one in measured if one.contestant.build.made]
    built = f"Found ready here: {', '.join(ready)}." if ready else "All were built for this comparison."
    how = (
        f"whole frames of {first.resolution}² at full quality, drawn while they were judged.",
        f"from the tracked clip to the avatar, by {SOURCE}. {built}",
        f"the most that a process of its own held which draws {FRAMES} of the frames, libraries included.",
    )
    names = ("Frames a second", "Minutes to build", "Memory")
    lines += ["", *(f"- {name}: {words}" for name, words in zip(names, how))]
    off = {reason: None for one in measured for reason in one.evaluation.off.values()}
    lines += [f"- {reason}" for reason in off]
    lines += [f"- Left out: {ENGINES[engine].title}. {why}" for engine, why in comparison.lacking.items()]
    return "\n".join(lines) + "\n"


def _about(comparison: EngineComparison, machine: Machine) -> str:
    """What was compared, and where."""
    first = comparison.measured[0].evaluation
    start, end = first.held_out
    return (
        f"{comparison.subject}, {comparison.clip}: {first.frames} frames from {start} to {end} that none of "
        f"them has seen, {first.resolution}² each. {machine.processor}, {machine.cores} cores, GPU: "
        f"{machine.gpu}; other load at the start: {machine.load:.1f} cores."
    )


def minutes(measured: Measured) -> str:
    """What building took, in minutes."""
    seconds = measured.build.seconds
    return "not recorded" if seconds is None else f"{seconds / 60:.1f}"


def write_sheet(path: Path, comparison: EngineComparison) -> None:
    """A PNG: a row for each kept frame; columns real, each avatar, nearest training frame; under each picture
    how near it is to the real one. Raises Problem when the disk says no."""
    names = [one.contestant.name for one in comparison.measured]
    rows = [_sheet_row(frame, kept, names) for frame, kept in sorted(comparison.frames.items())]
    width = rows[0].shape[1] // (len(names) + 2)
    heading = columns_line(["real", *names, NEAREST], width)
    write_png(path, np.concatenate([heading, *rows]))


def _sheet_row(frame: int, kept: KeptFrame, names: Sequence[str]) -> Picture:
    others = [*(kept.drawn[name] for name in names), kept.nearest]
    pictures = [enlarged(picture) for picture in (kept.real, *others)]
    captions = [f"frame {frame}", *(decibels(kept.real, other) for other in others)]
    return np.concatenate([np.concatenate(pictures, 1), columns_line(captions, pictures[0].shape[1])])


def _row(metric: Metric, sides: Sequence[Mapping[str, float]], nearest: Mapping[str, float]) -> str:
    """A measure of every avatar and of the nearest frame; what is best among the avatars is bold."""
    texts = [f"{side[metric.id]:.{metric.digits}f}" if metric.id in side else "off" for side in sides]
    known = [side[metric.id] for side in sides if metric.id in side]
    best = known[0]
    for value in known:
        best = value if is_better(metric, value, best) else best
    marked = [f"**{text}**" if text == f"{best:.{metric.digits}f}" else text for text in texts]
    beside = f"{nearest[metric.id]:.{metric.digits}f}" if metric.id in nearest else "off"
    return f"| {name_of(metric)} | {ARROWS[metric.better]} | {' | '.join(marked)} | {beside} |"


def _memory(measured: Measured) -> str:
    memory = measured.memory
    return f"{memory.process:.2f}" + (f" + {memory.card:.2f} on the card" if memory.card is not None else "")
