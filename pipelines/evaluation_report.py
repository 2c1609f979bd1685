"""Evaluations as JSON and as tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.evaluate_avatar import Evaluation
from studio.metrics import METRICS, Metric
from studio.project.atomic import explaining_disk, write_json

_ARROWS = {"higher": "↑", "lower": "↓", "near zero": "→ 0", "near one": "→ 1"}


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


def mean_over_clips(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """Every clip counts the same, however long. A metric is averaged over the clips that have it on both
    sides; ``clips`` says how many that are."""
    means: dict[str, Any] = {"metrics": {}, "nearest_frame": {}, "clips": {}}
    for metric in METRICS:
        both = [e for e in evaluations if metric.id in e.metrics and metric.id in e.nearest_frame]
        if not both:
            continue
        means["metrics"][metric.id] = float(np.mean([e.metrics[metric.id] for e in both]))
        means["nearest_frame"][metric.id] = float(np.mean([e.nearest_frame[metric.id] for e in both]))
        means["clips"][metric.id] = len(both)
    if evaluations:
        means["fps"] = float(np.mean([e.fps for e in evaluations]))
    return means


def mean_table(evaluations: Sequence[Evaluation]) -> str:
    """Markdown: a row per metric, means over clips, and on how many clips the engine is better."""
    means = mean_over_clips(evaluations)
    several = len(evaluations) != 1
    what = f"Mean over {len(evaluations)} clips, " if several else "Pictures of "
    lines = [
        f"{what}{_sizes(evaluations)}.",
        "",
        f"| metric | better | engine | nearest training frame | engine better{' on' if several else ''} |",
        "|---|---|---|---|---|",
    ]
    for metric in METRICS:
        if metric.id not in means["metrics"]:
            continue
        pairs = [
            (e.metrics[metric.id], e.nearest_frame[metric.id])
            for e in evaluations
            if metric.id in e.metrics and metric.id in e.nearest_frame
        ]
        wins = sum(is_better(metric, a, b) for a, b in pairs)
        better = f"{wins} of {len(pairs)}" if several else ("yes" if wins else "no")
        ours, theirs = means["metrics"][metric.id], means["nearest_frame"][metric.id]
        lines.append(
            f"| {_name(metric)} | {_ARROWS[metric.better]} | {ours:.{metric.digits}f} "
            f"| {theirs:.{metric.digits}f} | {better} |"
        )
    reasons = {reason: name for e in evaluations for name, reason in e.off.items()}
    lines += ["", *(f"- {name}: {reason}" for reason, name in reasons.items())] if reasons else []
    return "\n".join(lines) + "\n"


def verdict(evaluation: Evaluation) -> str:
    """One line: on how many of the measures the avatar beats the plainest rival."""
    ours, theirs = evaluation.metrics, evaluation.nearest_frame
    both = [metric for metric in METRICS if metric.id in ours and metric.id in theirs]
    worse = [_name(m) for m in both if not is_better(m, ours[m.id], theirs[m.id])]
    wins = len(both) - len(worse)
    except_on = f" (not on {', '.join(worse)})" if worse and len(worse) <= 4 else ""
    word = "measure" if len(both) == 1 else "measures"
    return f"Better than the nearest frame on {wins} of {len(both)} {word}{except_on}."


def clip_table(
    evaluations: Sequence[Evaluation],
    columns: Sequence[str] = ("psnr", "ssim", "ms_ssim", "haarpsi", "flmd", "aed", "csim"),
) -> str:
    """Markdown: a row per clip, ``engine / nearest training frame`` in each cell."""
    chosen = [metric for metric in METRICS if metric.id in columns]
    heads = " | ".join(f"{_name(m)} {_ARROWS[m.better]}" for m in chosen)
    lines = [f"| clip | frames | frames/s | {heads} |", "|---" * (3 + len(chosen)) + "|"]
    for e in evaluations:
        cells = " | ".join(_cell(e, metric) for metric in chosen)
        lines.append(f"| {e.title} | {e.frames} | {e.fps:.0f} | {cells} |")
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


def _cell(evaluation: Evaluation, metric: Metric) -> str:
    def figure(side: Any) -> str:
        return f"{side[metric.id]:.{metric.digits}f}" if metric.id in side else "off"

    return f"{figure(evaluation.metrics)} / {figure(evaluation.nearest_frame)}"


def _name(metric: Metric) -> str:
    return f"{metric.title} ({metric.unit})" if metric.unit else metric.title


def _sizes(evaluations: Sequence[Evaluation]) -> str:
    sizes = sorted({e.resolution for e in evaluations})
    return ", ".join(f"{s}²" for s in sizes)
