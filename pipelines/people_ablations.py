"""What each part of a one-picture system is worth: trained once more without it, for as long, judged
alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.evaluation_report import ARROWS, is_better, name_of
from pipelines.people_report import clips_table, people_table, plot_pose, pose_table
from studio.metrics import METRICS
from studio.project.atomic import explaining_disk, write_json

if TYPE_CHECKING:
    from pipelines.evaluate_people import PeopleEvaluation


@dataclass(frozen=True)
class PeopleAblation:
    """The full method and its variants, all trained for as long, on the same frames."""

    evaluation: PeopleEvaluation
    """Contenders: the full method and the variants, by name."""
    full: str
    """The full method's name."""
    changes: Mapping[str, Mapping[str, Any]]
    """Variant to what is different."""
    trained: Mapping[str, Mapping[str, Any]]
    """Contender to steps and seconds of its training."""


def ablation_table(ablation: PeopleAblation) -> str:
    """Markdown: a row a measure, a column a variant with its difference to the full method."""
    evaluation, full = ablation.evaluation, ablation.full
    lines = []
    for title, drivings in (("Same identity", evaluation.same), ("Cross identity", evaluation.cross)):
        means = evaluation.means(drivings)
        if not drivings:
            continue
        names = [name for name in evaluation.contenders if name != full]
        lines += [
            f"{title}; in brackets the difference to the full method, bold where it is for the worse.",
            "",
        ]
        heads = ["measure", "better", full, *names]
        lines += [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
        for m in METRICS:
            if m.id not in means[full]:
                continue
            cells = [name_of(m), ARROWS[m.better], f"{means[full][m.id]:.{m.digits}f}"]
            for name in names:
                ours, theirs = means[name][m.id], means[full][m.id]
                by = f"{ours - theirs:+.{m.digits}f}"
                worse = is_better(m, theirs, ours)
                cells.append(f"{ours:.{m.digits}f} ({f'**{by}**' if worse else by})")
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    for name, changes in ablation.changes.items():
        told = ", ".join(f"{field} = {value}" for field, value in changes.items())
        lines.append(f"- {name}: {told}")
    for name, figures in ablation.trained.items():
        lines.append(
            f"- {name} was trained for {figures['steps']} steps in {figures['seconds'] / 60:.1f} min"
        )
    return "\n".join(lines) + "\n"


def write_ablation(folder: Path, ablation: PeopleAblation) -> None:
    """``ablation.json``, ``ablation.md`` and ``turn.png`` in a folder. Raises Problem when the disk says
    no."""
    with explaining_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        told = {
            "full": ablation.full,
            "changes": {name: dict(changes) for name, changes in ablation.changes.items()},
            "trained": {name: dict(figures) for name, figures in ablation.trained.items()},
            **ablation.evaluation.to_json(),
        }
        write_json(folder / "ablation.json", told)
        words = [
            ablation_table(ablation),
            people_table(ablation.evaluation),
            pose_table(ablation.evaluation),
            clips_table(ablation.evaluation),
        ]
        aside = folder / ".ablation.md.part"
        aside.write_text("\n".join(words), encoding="utf-8")
        aside.replace(folder / "ablation.md")
    plot_pose(folder / "turn.png", ablation.evaluation)
