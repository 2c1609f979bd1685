"""Ablations as JSON and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.evaluate_avatar import Evaluation
from pipelines.evaluation_report import ARROWS, is_better, mean_over_clips, name_of
from studio.metrics import METRICS
from studio.project.atomic import explaining_disk, write_json

MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Variant:
    """An engine with one part taken out, judged."""

    changes: Mapping[str, Any]
    """``stage.field`` to value: what is different from the full method."""
    evaluations: Sequence[Evaluation]
    """One for each clip, in the order of the full method's."""


@dataclass(frozen=True)
class Ablation:
    """The full method and its variants on the same frames of the same clips."""

    engine: str
    """Engine id."""
    preset: str
    """The preset that all are built with."""
    full: Sequence[Evaluation]
    """The full method, one for each clip."""
    variants: Mapping[str, Variant]
    """Name to variant."""

    def paired(self) -> dict[str, dict[str, tuple[float, float]]]:
        """Variant to metric to its mean and the full method's, over the clips that have it on both."""
        found: dict[str, dict[str, tuple[float, float]]] = {}
        for name, variant in self.variants.items():
            found[name] = {}
            for metric in METRICS:
                pairs = [
                    (ours.metrics[metric.id], full.metrics[metric.id])
                    for ours, full in zip(variant.evaluations, self.full, strict=True)
                    if metric.id in ours.metrics and metric.id in full.metrics
                ]
                if pairs:
                    ours, full = np.mean(pairs, 0).tolist()
                    found[name][metric.id] = (ours, full)
        return found

    def differences(self) -> dict[str, dict[str, float]]:
        """Variant to metric to its mean minus the full method's, over the clips that have it on both."""
        return {
            name: {metric: ours - full for metric, (ours, full) in means.items()}
            for name, means in self.paired().items()
        }

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready values."""
        differences = self.differences()
        return {
            "engine": self.engine,
            "preset": self.preset,
            "full": _told(self.full),
            "variants": {
                name: {
                    "changes": dict(variant.changes),
                    "difference": differences[name],
                    **_told(variant.evaluations),
                }
                for name, variant in self.variants.items()
            },
        }


def write_ablation(folder: Path, ablation: Ablation) -> None:
    """``ablation.json`` and ``ablation.md`` in a folder. Raises Problem when the disk says no."""
    with explaining_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "ablation.json", ablation.to_json())
        aside = folder / ".ablation.md.part"
        aside.write_text(ablation_table(ablation), encoding="utf-8")
        aside.replace(folder / "ablation.md")


def ablation_table(ablation: Ablation) -> str:
    """Markdown: a row per metric, a column per variant with its difference to the full method in brackets."""
    full = mean_over_clips(ablation.full)
    paired = ablation.paired()
    rivals = {"nearest_frame": "nearest training frame"}
    if full.get("beside_engine"):
        rivals = {"beside": full["beside_engine"], **rivals}
    clips = f"{len(ablation.full)} clips" if len(ablation.full) != 1 else ablation.full[0].title
    heads = ["metric", "better", "full method", *paired, *rivals.values()]
    what = f"{ablation.engine}, {ablation.preset}, {clips}"
    lines = [
        f"{what}; in brackets the difference to the full method, bold where it is for the worse.",
        "",
        f"| {' | '.join(heads)} |",
        "|---" * len(heads) + "|",
    ]
    worse = dict.fromkeys(paired, 0)
    for metric in METRICS:
        if metric.id not in full["metrics"]:
            continue
        value = full["metrics"][metric.id]
        cells = [name_of(metric), ARROWS[metric.better], f"{value:.{metric.digits}f}"]
        for name, means in paired.items():
            if metric.id not in means:
                cells.append("off")
                continue
            ours, theirs = means[metric.id]
            by = f"{ours - theirs:+.{metric.digits}f}".replace("-", MINUS)
            lost = is_better(metric, theirs, ours)
            worse[name] += lost
            cells.append(f"{ours:.{metric.digits}f} ({f'**{by}**' if lost else by})")
        cells += [f"{full[name][metric.id]:.{metric.digits}f}" for name in rivals]
        lines.append(f"| {' | '.join(cells)} |")
    totals = [f"{worse[name]} of {len(set(means) & set(full['metrics']))}" for name, means in paired.items()]
    last = ["worse than the full method on", "", "", *totals, *("" for _ in rivals)]
    lines.append(f"| {' | '.join(last)} |")
    lines.append("")
    for name, variant in ablation.variants.items():
        settings = ", ".join(f"{place} = {value}" for place, value in variant.changes.items())
        lines.append(f"- {name}: {settings}")
    return "\n".join(lines) + "\n"


def _told(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    return {"mean": mean_over_clips(evaluations), "clips": [e.to_json() for e in evaluations]}
