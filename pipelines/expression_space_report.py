"""An expression space in a table and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.learn_expression_space import Expressions
from pipelines.measure_expression_space import COMPONENTS, HANDLES, RAW, SCALES, SpaceFigures
from pipelines.people_report import save_figure
from studio.domain.camera import Floats
from studio.engines.export3d.expression_space import ExpressionSpace
from studio.project.atomic import explaining_disk, write_json

SHOWN, FRAMES = 10, 10
"""People on the picture, and frames of each (paper, figure 8)."""
PERPLEXITY = 15.0
"""Of t-SNE: about how many frames count as a frame's neighbours."""
LETTERS = "ABCDEFGHIJ"


def space_table(figures: Mapping[str, SpaceFigures]) -> str:
    """Markdown: who it is, then what is left of movements; a column for each side of the corpus."""
    sides = list(figures)
    heads = [f"{side}: {figures[side].people} people" for side in sides]
    looks = (RAW, SCALES, COMPONENTS)
    lines = [
        f"| frames whose person is named rightly | {' | '.join(heads)} |",
        _rule(len(sides)),
        *(_row(name, [f"{figures[side].named[name]:.1%}" for side in sides]) for name in looks),
        _row("by chance", [f"{figures[side].chance:.1%}" for side in sides]),
        "",
        f"| variance that is between people | {' | '.join(sides)} |",
        _rule(len(sides)),
        *(_row(name, [f"{figures[side].between[name]:.1%}" for side in sides]) for name in looks),
    ]
    heads = [f"{side}, through {way}" for side in sides for way in (SCALES, COMPONENTS)]
    lines += ["", f"| left of: correlation (size) | {' | '.join(heads)} |", _rule(len(heads))]
    for handle in HANDLES:
        cells = [figures[side].survival[way][handle] for side in sides for way in (SCALES, COMPONENTS)]
        lines.append(_row(handle, [f"{cell.correlation:.2f} ({cell.size:.2f})" for cell in cells]))
    return "\n".join(lines) + "\n"


def write_space(
    folder: Path,
    figures: Mapping[str, SpaceFigures],
    clips: Mapping[str, Sequence[Expressions]],
    space: ExpressionSpace,
    about: Mapping[str, Any],
) -> None:
    """``expression_space.json``, ``.md`` and ``.png`` in a folder. Raises Problem when the disk says no."""
    told = {side: asdict(found) for side, found in figures.items()}
    with explaining_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "expression_space.json", {"figures": told, "about": dict(about)})
        aside = folder / ".expression_space.md.part"
        aside.write_text(space_table(figures), encoding="utf-8")
        aside.replace(folder / "expression_space.md")
    plot_space(folder / "expression_space.png", clips, space)


def plot_space(path: Path, clips: Mapping[str, Sequence[Expressions]], space: ExpressionSpace) -> None:
    """t-SNE of ten frames of each of ten people, a letter each, as a PNG: raw numbers and coefficients λ, a
    row for each side. Distances between λ are those between β′, because directions are orthonormal."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 3.9 * len(clips)), layout="constrained")
    grid = figure.subplots(len(clips), 2, squeeze=False)
    for row, (side, own) in zip(grid, clips.items()):
        chosen = chosen_frames(own)
        for axes, name, values in (
            (row[0], f"{RAW}, {side}", np.concatenate(chosen)),
            (row[1], f"λ, {side}", space.there.scales(np.concatenate(chosen))),
        ):
            places = iter(_laid_out(values))
            for person, frames in enumerate(chosen):
                for _ in frames:
                    x, y = next(places)
                    axes.plot(x, y, marker=f"${LETTERS[person]}$", color=f"C{person}", markersize=7)
            axes.set_title(name, fontsize=10)
            axes.set_xticks([])
            axes.set_yticks([])
    save_figure(path, figure)


def chosen_frames(clips: Sequence[Expressions]) -> list[Floats]:
    """Ten frames ``[10, 57]`` of one clip of each of at most ten people, all spread evenly."""
    first: dict[str, Expressions] = {}
    for clip in clips:
        if len(clip.numbers) >= FRAMES:
            first.setdefault(clip.identity, clip)
    people = list(first.values())
    places = np.unique(np.linspace(0, len(people) - 1, min(SHOWN, len(people))).round().astype(int))
    spread = [np.linspace(0, len(people[k].numbers) - 1, FRAMES).round().astype(int) for k in places]
    return [people[k].numbers[frames] for k, frames in zip(places, spread)]


def _laid_out(values: Floats) -> Floats:
    """``[N, m]`` to places ``[N, 2]``; the same each time."""
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(values) - 1) / 3.0)
    method = TSNE(perplexity=perplexity, init="pca", random_state=0, method="exact")
    return np.asarray(method.fit_transform(np.asarray(values, np.float64)), np.float32)


def _row(name: str, cells: Sequence[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"


def _rule(columns: int) -> str:
    return "|---" * (columns + 1) + "|"
