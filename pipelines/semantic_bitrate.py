"""How good a semantic avatar is for how few bytes a frame (the paper's figure 7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.evaluate_people import PeopleEvaluation, evaluate_people
from pipelines.evaluation_report import ARROWS, name_of
from pipelines.one_picture import motion_at
from pipelines.people_evaluation_settings import PeopleEvaluationSettings
from pipelines.people_report import save_figure
from pipelines.semantic_of_one import SemanticOfOne
from pipelines.semantic_stream import Sent, coded_bytes, stream
from studio.assets import AssetLibrary
from studio.domain.progress import Progress, silent
from studio.engines.semantic.keypoints import head_keypoints
from studio.engines.semantic.network import SemanticNetwork
from studio.engines.semantic.settings import CODE, JAW, SemanticSettings
from studio.head import HeadModel, builtin_head
from studio.metrics import metric
from studio.project.atomic import explaining_disk, write_json
from studio.tracking.tracker import Tracker

if TYPE_CHECKING:
    from studio.corpus.corpus import CorpusClip

FEWEST = 5
"""Keypoints below which nothing is measured: the paper's least."""
MEASURES = ("akd", "akd_mouth", "aed", "psnr")
"""Measures in tables and plots."""


@dataclass(frozen=True)
class Line:
    """Streams that differ in one amount, the smallest first."""

    title: str
    """What the plot calls it."""
    sent: tuple[Sent, ...]
    """The streams."""


@dataclass(frozen=True)
class Rate:
    """One stream, measured."""

    line: str
    """The line that it is on."""
    sent: Sent
    """What is sent."""
    coded: float
    """Bytes a frame with entropy coding, mean over clips."""
    metrics: Mapping[str, float]
    """Metric id to its mean over clips."""


def lines_for(shape: SemanticSettings) -> tuple[Line, ...]:
    """The streams that a network can be driven by."""
    most = shape.keypoints
    points = sorted({count for count in (FEWEST, 8, 10, 13, most) if count <= most})
    codes = (0, JAW, 8, 16, 28, CODE)

    def keypoints(count: int, code: int) -> Sent:
        return Sent("keypoints", count, code)

    found = [Line("keypoints alone", tuple(keypoints(count, 0) for count in points))]
    if shape.expression_code:
        found += [
            Line("keypoints, whole code", tuple(keypoints(count, CODE) for count in points)),
            Line(f"{most} keypoints, part of the code", tuple(keypoints(most, code) for code in codes)),
        ]
    if shape.face_flow:
        found.append(Line("head, part of the code", tuple(Sent("head", most, code) for code in codes)))
    return tuple(found)


def measure_bitrate(
    clips: Sequence[CorpusClip],
    network: SemanticNetwork,
    settings: PeopleEvaluationSettings,
    *,
    model: HeadModel | None = None,
    assets: AssetLibrary | None = None,
    new_tracker: Callable[[], Tracker] | None = None,
    progress: Progress = silent,
) -> tuple[list[Rate], PeopleEvaluation]:
    """Drive the same pictures through every stream.

    Args:
        clips: held-out ones of a corpus.
        network: driven by head model keypoints.
        settings: see there; cross-identity figures are left out.
        model, assets, new_tracker, progress: as for :func:`evaluate_people`.

    Raises:
        Problem: as :func:`evaluate_people`.
    """
    from dataclasses import replace

    head = model or builtin_head()
    lines = lines_for(network.shape)
    streams = list(dict.fromkeys(sent for line in lines for sent in line.sent))
    contenders = [SemanticOfOne(network, head, _name(sent), sent) for sent in streams]
    evaluation = evaluate_people(
        clips,
        contenders,
        network.shape.side,
        replace(settings, cross_frames=0),
        model=head,
        assets=assets,
        new_tracker=new_tracker,
        progress=progress,
    )
    means = evaluation.means(evaluation.same)
    used = [clip for clip in clips if clip.name in {driving.clip for driving in evaluation.same}]
    coded = {sent: float(np.mean([_coded(clip, sent, head) for clip in used])) for sent in streams}
    rates = [Rate(line.title, sent, coded[sent], means[_name(sent)]) for line in lines for sent in line.sent]
    return rates, evaluation


def bitrate_table(rates: Sequence[Rate]) -> str:
    """Markdown: a row a stream."""
    measures = [metric(name) for name in MEASURES if name in rates[0].metrics]
    heads = ["stream", "keypoints", "code", "bytes a frame", "deflated"]
    heads += [f"{name_of(m)} {ARROWS[m.better]}" for m in measures]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for rate in rates:
        sent = rate.sent
        count = str(sent.keypoints) if sent.carries == "keypoints" else "–"
        cells = [rate.line, count, str(sent.code), str(sent.bytes), f"{rate.coded:.0f}"]
        cells += [f"{rate.metrics[m.id]:.{m.digits}f}" for m in measures]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def write_bitrate(folder: Path, rates: Sequence[Rate], evaluation: PeopleEvaluation) -> None:
    """``bitrate.json``, ``bitrate.md`` and ``bitrate.png`` in a folder. Raises Problem when the disk says
    no."""
    told: list[dict[str, Any]] = [
        {
            "line": rate.line,
            "carries": rate.sent.carries,
            "keypoints": rate.sent.keypoints,
            "code": rate.sent.code,
            "bytes": rate.sent.bytes,
            "deflated": rate.coded,
            "metrics": dict(rate.metrics),
        }
        for rate in rates
    ]
    with explaining_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "bitrate.json", {"streams": told, "settings": dict(evaluation.settings)})
        aside = folder / ".bitrate.md.part"
        aside.write_text(bitrate_table(rates), encoding="utf-8")
        aside.replace(folder / "bitrate.md")
    plot_bitrate(folder / "bitrate.png", rates)


def plot_bitrate(path: Path, rates: Sequence[Rate], measures: Sequence[str] = ("akd", "akd_mouth")) -> None:
    """Measures against bytes a frame, a curve for each line, as a PNG. Raises Problem when the disk says
    no."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2 * len(measures), 4.0), layout="constrained")
    for axes, name in zip(np.atleast_1d(figure.subplots(1, len(measures))), measures):
        for title in dict.fromkeys(rate.line for rate in rates):
            there = [rate for rate in rates if rate.line == title]
            axes.plot(
                [rate.sent.bytes for rate in there],
                [rate.metrics[name] for rate in there],
                "o-",
                label=title,
            )
        axes.set_xlabel("bytes a frame (16-bit floats)")
        axes.set_ylabel(name_of(metric(name)))
        axes.legend(fontsize=8)
    save_figure(path, figure)


def _coded(clip: CorpusClip, sent: Sent, model: HeadModel) -> float:
    """Bytes a frame of a whole clip's stream."""
    motion = motion_at(clip, clip.side)
    points = head_keypoints(model, clip.coefficients, clip.offset, motion, clip.side)
    return coded_bytes(stream(motion, points, sent, model))


def _name(sent: Sent) -> str:
    if sent.carries == "head":
        return f"head, {sent.code} of the code"
    return f"{sent.keypoints} keypoints, {sent.code} of the code"
