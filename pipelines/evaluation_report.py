"""Evaluations as JSON and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.evaluate_avatar import Evaluation
from studio.metrics import METRICS, Metric
from studio.project.atomic import explaining_disk, write_json

ARROWS = {"higher": "↑", "lower": "↓", "near zero": "→ 0", "near one": "→ 1"}
"""Which way is better, as tables show it."""


def write_evaluation(path: Path, evaluation: Evaluation) -> None:
    """One evaluation as JSON, written atomically. Raises Problem when the disk says no."""
    with explaining_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, evaluation.to_json())


def write_evaluations(folder: Path, evaluations: Sequence[Evaluation]) -> None:
    """``evaluations.json`` (every clip and the mean) and ``evaluations.md`` (tables) in a folder."""
    with explaining_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        content = {"mean": mean_over_clips(evaluations), "clips": [e.to_json() for e in evaluations]}
        write_json(folder / "evaluations.json", content)
        aside = folder / ".evaluations.md.part"
        aside.write_text(f"{mean_table(evaluations)}\n{clip_table(evaluations)}", encoding="utf-8")
        aside.replace(folder / "evaluations.md")


def beside_of(evaluations: Sequence[Evaluation]) -> str:
    """Name of the engine beside, if all evaluations have the same one, else nothing."""
    names = {evaluation.beside_engine for evaluation in evaluations}
    return names.pop() if len(names) == 1 else ""


def mean_over_clips(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """Every clip counts the same, however long. A metric is averaged over the clips that have it on every
    side; ``clips`` says how many that are, ``better_than`` on how many of them the engine is better."""
    beside = beside_of(evaluations)
    means: dict[str, Any] = {"metrics": {}, "nearest_frame": {}, "clips": {}}
    better: dict[str, dict[str, int]] = {"nearest_frame": {}}
    if beside:
        means |= {"beside_engine": beside, "beside": {}}
        better["beside"] = {}
    for metric in METRICS:
        sides = [side for e in evaluations if (side := _sides(e, metric, bool(beside)))]
        if not sides:
            continue
        means["clips"][metric.id] = len(sides)
        for name in sides[0]:
            means[name][metric.id] = float(np.mean([side[name] for side in sides]))
        for name, wins in better.items():
            wins[metric.id] = sum(is_better(metric, side["metrics"], side[name]) for side in sides)
    means["better_than"] = better
    if evaluations:
        means["fps"] = float(np.mean([e.fps for e in evaluations]))
        if beside:
            means["beside_fps"] = float(np.mean([e.beside_fps for e in evaluations]))
    return means


def mean_table(evaluations: Sequence[Evaluation]) -> str:
    """Markdown: a row per metric, means over clips, and on how many clips the engine is better."""
    means = mean_over_clips(evaluations)
    beside = means.get("beside_engine", "")
    several = len(evaluations) != 1
    what = f"Mean over {len(evaluations)} clips, " if several else "Pictures of "
    rivals = {"nearest_frame": "nearest training frame"}
    if beside:
        rivals = {"beside": beside, **rivals}
    ours = _engine(evaluations) if beside else "engine"
    on = " on" if several else ""
    wins = [f"better than {name}{on}" for name in rivals.values()] if beside else [f"engine better{on}"]
    heads = ["metric", "better", ours, *rivals.values(), *wins]
    lines = [f"{what}{_sizes(evaluations)}.", "", f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for metric in METRICS:
        if metric.id not in means["metrics"]:
            continue
        clips = means["clips"][metric.id]
        won = [means["better_than"][name][metric.id] for name in rivals]
        cells = [
            name_of(metric),
            ARROWS[metric.better],
            *(f"{means[name][metric.id]:.{metric.digits}f}" for name in ("metrics", *rivals)),
            *(f"{count} of {clips}" if several else ("yes" if count else "no") for count in won),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    reasons = {reason: name for e in evaluations for name, reason in e.off.items()}
    lines += ["", *(f"- {name}: {reason}" for reason, name in reasons.items())] if reasons else []
    return "\n".join(lines) + "\n"


def verdicts(evaluation: Evaluation) -> list[str]:
    """A line for each rival, the plainest first: on how many of the measures the avatar beats it."""
    lines = [_verdict(evaluation.metrics, evaluation.nearest_frame, "the nearest frame")]
    if evaluation.beside_engine:
        lines.append(_verdict(evaluation.metrics, evaluation.beside, evaluation.beside_engine))
    return lines


def _verdict(ours: Mapping[str, float], theirs: Mapping[str, float], rival: str) -> str:
    both = [metric for metric in METRICS if metric.id in ours and metric.id in theirs]
    worse = [name_of(m) for m in both if not is_better(m, ours[m.id], theirs[m.id])]
    wins = len(both) - len(worse)
    except_on = f" (not on {', '.join(worse)})" if worse and len(worse) <= 4 else ""
    word = "measure" if len(both) == 1 else "measures"
    return f"Better than {rival} on {wins} of {len(both)} {word}{except_on}."


def clip_table(
    evaluations: Sequence[Evaluation],
    columns: Sequence[str] = ("psnr", "ssim", "ms_ssim", "haarpsi", "flmd", "aed", "csim"),
) -> str:
    """Markdown: a row per clip, ``engine / engine beside / nearest training frame`` in each cell."""
    chosen = [metric for metric in METRICS if metric.id in columns]
    heads = " | ".join(f"{name_of(m)} {ARROWS[m.better]}" for m in chosen)
    lines = [f"| clip | frames | frames/s | {heads} |", "|---" * (3 + len(chosen)) + "|"]
    beside = beside_of(evaluations)
    if beside:
        lines = [f"In each cell: {_engine(evaluations)} / {beside} / nearest training frame.", "", *lines]
    for e in evaluations:
        cells = " | ".join(_cell(e, metric, bool(beside)) for metric in chosen)
        speed = f"{e.fps:.0f} / {e.beside_fps:.0f}" if beside else f"{e.fps:.0f}"
        lines.append(f"| {e.title} | {e.frames} | {speed} | {cells} |")
    return "\n".join(lines) + "\n"


def is_better(metric: Metric, a: float, b: float) -> bool:
    """Whether ``a`` beats ``b`` in the metric's own direction."""
    match metric.better:
        case "higher":
            return a > b
        case "lower":
            return a < b
        case "near zero":
            return abs(a) < abs(b)
        case "near one":
            return abs(a - 1) < abs(b - 1)


def name_of(metric: Metric) -> str:
    """Title and unit of a metric, as tables show them."""
    return f"{metric.title} ({metric.unit})" if metric.unit else metric.title


def _sides(evaluation: Evaluation, metric: Metric, beside: bool) -> dict[str, float] | None:
    """A metric's value on every side, None if one of them lacks it."""
    names = ("metrics", *(["beside"] if beside else []), "nearest_frame")
    sides = {name: getattr(evaluation, name).get(metric.id) for name in names}
    return None if None in sides.values() else sides


def _cell(evaluation: Evaluation, metric: Metric, beside: bool) -> str:
    def figure(side: Mapping[str, float]) -> str:
        return f"{side[metric.id]:.{metric.digits}f}" if metric.id in side else "off"

    between = [evaluation.beside] if beside else []
    return " / ".join(figure(side) for side in (evaluation.metrics, *between, evaluation.nearest_frame))


def _engine(evaluations: Sequence[Evaluation]) -> str:
    return ", ".join(sorted({e.engine for e in evaluations}))


def _sizes(evaluations: Sequence[Evaluation]) -> str:
    sizes = sorted({e.resolution for e in evaluations})
    return ", ".join(f"{s}²" for s in sizes)
