"""Comparisons on people as tables, plots and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.evaluate_people import Driving, PeopleEvaluation
from pipelines.evaluation_report import ARROWS, is_better, name_of
from studio.metrics import METRICS, metric
from studio.project.atomic import explaining_disk, write_json

JUDGED = ("psnr", "haarpsi", "akd", "aed")
"""Measures by which a trained system has to beat the others."""
STEP = 10.0
"""Degrees of head turn that are averaged into one point of a curve."""


def people_table(evaluation: PeopleEvaluation) -> str:
    """Markdown: a row a measure, a column a contender, the best in bold; same identity, then cross
    identity."""
    parts = [
        _table(evaluation, evaluation.same, f"Same identity, mean over {len(evaluation.same)} clips"),
    ]
    if evaluation.cross:
        parts.append(
            _table(evaluation, evaluation.cross, f"Cross identity, mean over {len(evaluation.cross)} pairs")
        )
    speed = ", ".join(f"{name} {fps:.0f}" for name, fps in evaluation.frames_per_second.items())
    parts.append(f"Frames a second drawn here: {speed}.\n")
    lost = {
        name: sum(d.lost[name] for d in (*evaluation.same, *evaluation.cross))
        for name in evaluation.contenders
    }
    if any(lost.values()):
        told = ", ".join(f"{name} {count}" for name, count in lost.items() if count)
        parts.append(f"Pictures without a face, entered with the worst value: {told}.\n")
    parts += [f"- {reason}\n" for reason in dict.fromkeys(evaluation.off.values())]
    return "\n".join(parts)


def clips_table(evaluation: PeopleEvaluation, measures: Sequence[str] = JUDGED) -> str:
    """Markdown: a row a clip, in each cell the contenders' values in their order."""
    chosen = [metric(name) for name in measures if name not in evaluation.off]
    heads = ["clip", "turned", *(f"{name_of(m)} {ARROWS[m.better]}" for m in chosen)]
    lines = [f"In each cell: {' / '.join(evaluation.contenders)}.", "", *_head(heads)]
    for driving in evaluation.same:
        cells = [driving.clip, f"{driving.turned.mean():.0f}°"]
        for m in chosen:
            values = (_mean(driving.values[name][m.id]) for name in evaluation.contenders)
            cells.append(" / ".join(f"{value:.{m.digits}f}" for value in values))
        lines.append(_row(cells))
    return "\n".join(lines) + "\n"


def verdict(evaluation: PeopleEvaluation, ours: str) -> list[str]:
    """A line for each rival: by how much ours beats it in the measures that decide, and on how many clips."""
    means = evaluation.means(evaluation.same)
    lines = []
    for rival in evaluation.contenders:
        if rival == ours:
            continue
        told = []
        for name in JUDGED:
            m = metric(name)
            a, b = means[ours][name], means[rival][name]
            won = sum(
                is_better(m, _mean(d.values[ours][name]), _mean(d.values[rival][name]))
                for d in evaluation.same
            )
            word = "better" if is_better(m, a, b) else "not better"
            told.append(f"{m.title} {word} ({a:.{m.digits}f} against {b:.{m.digits}f}, {won} clips)")
        lines.append(f"{ours} against {rival}: {'; '.join(told)}.")
    return lines


def pose_table(evaluation: PeopleEvaluation, measures: Sequence[str] = ("akd", "psnr")) -> str:
    """Markdown: how errors go with the turn between picture and frame (the paper's figure 4).

    Correlation over all frames (Pearson's r), and the slope of the line of least squares per ten degrees.
    """
    heads = ["contender"]
    for name in measures:
        heads += [f"r of {metric(name).title} and turn", f"{name_of(metric(name))} a 10° turn"]
    lines = _head(heads)
    for contender in evaluation.contenders:
        cells = [contender]
        for name in measures:
            r, slope = correlation(evaluation.same, contender, name)
            cells += [f"{r:+.2f}", f"{10.0 * slope:+.{metric(name).digits}f}"]
        lines.append(_row(cells))
    return "\n".join(lines) + "\n"


def correlation(drivings: Sequence[Driving], contender: str, measure: str) -> tuple[float, float]:
    """Pearson's r of a measure and the turn in degrees over all frames, and the slope per degree."""
    turned, values = _points(drivings, contender, measure)
    if len(turned) < 2 or turned.std() == 0.0 or values.std() == 0.0:
        return float("nan"), float("nan")
    r = float(np.corrcoef(turned, values)[0, 1])
    return r, r * float(values.std() / turned.std())


def plot_pose(path: Path, evaluation: PeopleEvaluation, measures: Sequence[str] = ("akd", "psnr")) -> None:
    """Each frame as a point, turn against error, and the means over steps of ten degrees, as a PNG.

    Raises Problem when the disk says no.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2 * len(measures), 4.0), layout="constrained")
    for axes, name in zip(np.atleast_1d(figure.subplots(1, len(measures))), measures):
        for colour, contender in enumerate(evaluation.contenders):
            turned, values = _points(evaluation.same, contender, name)
            r, _ = correlation(evaluation.same, contender, name)
            axes.scatter(turned, values, s=5, alpha=0.2, color=f"C{colour}", linewidths=0)
            axes.plot(*_steps(turned, values), "o-", color=f"C{colour}", label=f"{contender}, r = {r:+.2f}")
        axes.set_xlabel("turn between picture and frame, degrees")
        axes.set_ylabel(name_of(metric(name)))
        if metric(name).better == "lower":
            axes.set_yscale("log")
        axes.legend(fontsize=8)
    save_figure(path, figure)


def save_figure(path: Path, figure: object) -> None:
    """Write a matplotlib figure as a PNG, aside and renamed. Raises Problem when the disk says no."""
    with explaining_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.stem}.part.png")
        figure.savefig(aside, dpi=110)  # type: ignore[attr-defined]
        aside.replace(path)


def write_people(folder: Path, evaluation: PeopleEvaluation, ours: str) -> None:
    """``people.json``, ``people.md`` and ``turn.png`` in a folder. Raises Problem when the disk says no."""
    with explaining_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "people.json", evaluation.to_json())
        words = [
            people_table(evaluation),
            "\n".join(verdict(evaluation, ours)) + "\n",
            clips_table(evaluation),
            pose_table(evaluation),
        ]
        aside = folder / ".people.md.part"
        aside.write_text("\n".join(words), encoding="utf-8")
        aside.replace(folder / "people.md")
    plot_pose(folder / "turn.png", evaluation)


def _table(evaluation: PeopleEvaluation, drivings: Sequence[Driving], title: str) -> str:
    means = evaluation.means(drivings)
    lines = [f"{title}, {evaluation.settings.get('side')}².", ""]
    lines += _head(["measure", "better", *evaluation.contenders])
    for m in METRICS:
        found: Mapping[str, float] = {name: by[m.id] for name, by in means.items() if m.id in by}
        if not found:
            continue
        best = [
            name
            for name, value in found.items()
            if not any(is_better(m, other, value) for other in found.values())
        ]
        cells = []
        for name in evaluation.contenders:
            told = f"{found[name]:.{m.digits}f}" if name in found else "off"
            cells.append(f"**{told}**" if name in best and len(best) < len(found) else told)
        lines.append(_row([name_of(m), ARROWS[m.better], *cells]))
    return "\n".join(lines) + "\n"


def _points(
    drivings: Sequence[Driving], contender: str, measure: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Turns and values of all frames that have one."""
    turned = np.concatenate([d.turned for d in drivings])
    values = np.concatenate([d.values[contender][measure] for d in drivings])
    known = np.isfinite(values)
    return turned[known], values[known]


def _steps(
    turned: npt.NDArray[np.float64], values: npt.NDArray[np.float64]
) -> tuple[list[float], list[float]]:
    step = (turned // STEP).astype(int)
    found = [step == number for number in np.unique(step).tolist()]
    return [float(turned[at].mean()) for at in found], [float(values[at].mean()) for at in found]


def _mean(values: npt.NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _head(cells: Sequence[str]) -> list[str]:
    return [_row(cells), "|---" * len(cells) + "|"]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
