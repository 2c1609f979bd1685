"""Learn the built-in head model from a folder of clips of many people.

``python -m pipelines.learn_head_model FOLDER`` writes the model's numbers and a card that says what it was
learned from. Clips and landmarks never become part of the project.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from studio.domain.camera import Floats
from studio.domain.motion import EXPRESSIONS, HeadMotion
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.head import topology as mesh
from studio.head.builtin import load_builtin, save_builtin
from studio.head.handle_shapes import make_handles
from studio.head.learning import LearnSettings, learn_head
from studio.head.leave_out import FitFigures, average, leave_people_out
from studio.head.model import HeadModel
from studio.head.portrait import SKIN, shade

CLIP_ENDINGS = {".mp4", ".mov", ".mkv", ".webm"}
FEWEST_FRAMES = 10


def read_landmarks(clip: Path, cache: Path | None, progress: Progress = silent) -> Floats:
    """Landmarks ``[T, 478, 3]`` of the largest face in every frame that shows one, in source pixels.

    Args:
        clip: a video.
        cache: folder in which landmarks are kept between runs as ``NAME.npz`` (key ``landmarks``).
        progress: told while tracking.
    """
    kept = cache / f"{clip.stem}.npz" if cache else None
    if kept and kept.exists():
        with np.load(kept) as stored:
            landmarks: Floats = stored["landmarks"]
        return landmarks
    from studio.media import read_frames
    from studio.tracking.mediapipe_tracker import MediapipeTracker
    from studio.tracking.tracker import Settled

    tracker, found = Settled(MediapipeTracker(max_faces=1)), []
    for number, picture in enumerate(read_frames(clip)):
        faces = tracker.faces(picture)
        if faces:
            largest = max(faces, key=lambda f: (f.box[2] - f.box[0]) * (f.box[3] - f.box[1]))
            found.append(largest.landmarks)
        progress(number + 1, None, f"tracking {clip.name}")
    tracker.close()
    landmarks = np.array(found, np.float32).reshape(-1, mesh.POINTS, 3)
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(kept, landmarks=landmarks)
    return landmarks


def gather_people(
    folder: Path, cache: Path | None, same: Iterable[Iterable[str]], leave_out: Iterable[str]
) -> list[list[Floats]]:
    """Clips of a folder by person; clip names are file names without ending.

    Args:
        folder: videos.
        cache: see :func:`read_landmarks`.
        same: groups of clips that show the same person; every other clip is a person of its own.
        leave_out: clips not to learn from.

    Raises:
        Problem: when there is no folder or no usable clip in it.
    """
    if not folder.is_dir():
        raise Problem(f"{folder.name} is not a folder; name a folder of clips, each showing one person.")
    left_out = set(leave_out)
    clips = {p.stem: p for p in sorted(folder.iterdir()) if p.suffix.lower() in CLIP_ENDINGS}
    clips = {name: path for name, path in clips.items() if name not in left_out}
    groups = [[n for n in group if n in clips] for group in same]
    grouped = {n for group in groups for n in group}
    groups += [[n] for n in clips if n not in grouped]
    people = []
    for group in groups:
        tracked = [read_landmarks(clips[name], cache) for name in group]
        usable = [t for t in tracked if len(t) >= FEWEST_FRAMES]
        if usable:
            people.append(usable)
    if len(people) < 2:
        raise Problem(f"{folder.name} holds too few clips with faces; at least two people are needed.")
    return people


def learn(
    people: list[list[Floats]], out: Path, settings: LearnSettings, folds: int, progress: Progress = silent
) -> tuple[HeadModel, FitFigures | None]:
    """Learn, solve the handles, measure on people left out (if folds > 1) and write ``out`` and its card."""
    model = learn_head(people, settings, progress=progress)
    model = replace(model, handles=make_handles(model))
    figures = leave_people_out(people, folds, settings, progress) if folds > 1 else []
    mean = average(figures) if figures else None
    card: dict[str, object] = {
        "people": len(people),
        "clips": sum(len(p) for p in people),
        "frames": sum(len(c) for p in people for c in p),
        "tracker": "mediapipe 0.10.21 face mesh with irises",
        "settings": asdict(settings),
        "depth_gain": round(model.tracker_depth, 4),
    }
    if mean:
        worst = max(f.full for f in figures)
        card["left_out"] = {"folds": folds, **{k: round(v, 5) for k, v in asdict(mean).items()}}
        card["left_out_worst_person"] = round(worst, 5)
    save_builtin(out, model, card)
    return load_builtin(out), mean


def draw_handles(model: HeadModel, out: Path, size: int = 190, columns: int = 7) -> None:
    """A sheet of the mean face under every handle at 1."""
    cells = [_cell(model, HeadMotion.neutral(1, np.ones(3, np.float32)), "neutral", size)]
    for handle in model.handles.values():
        motion = handle.apply(HeadMotion.neutral(1, np.ones(3, np.float32)), 1.0)
        cells.append(_cell(model, motion, handle.name, size))
    _sheet(cells, columns, out)


def draw_components(model: HeadModel, out: Path, size: int = 170, count: int = 8) -> None:
    """A sheet of the first expression and identity components at both extremes (2.5 deviations)."""
    cells = []
    for component in range(count):
        for amount in (-2.5, 2.5):
            motion = HeadMotion.neutral(1, np.ones(3, np.float32))
            motion.expression[0, component] = amount
            cells.append(_cell(model, motion, f"expression {component}: {amount:+.1f}", size))
    for component in range(min(count, model.identities)):
        for amount in (-2.5, 2.5):
            identity = np.zeros(model.identities, np.float32)
            identity[component] = amount
            motion = HeadMotion.neutral(1, np.ones(3, np.float32))
            cells.append(_cell(model, motion, f"identity {component}: {amount:+.1f}", size, identity))
    _sheet(cells, 8, out)


def _cell(
    model: HeadModel, motion: HeadMotion, label: str, size: int, identity: Floats | None = None
) -> np.ndarray:
    shape = np.zeros(model.identities, np.float32) if identity is None else identity
    vertices = model.vertices(shape, np.zeros_like(model.template), motion)[0]
    picture = Image.fromarray(shade(vertices, model.triangles, size, tint=_colours(model)))
    ImageDraw.Draw(picture).text((4, 2), label, fill=(0, 0, 0))
    return np.array(picture)


def _colours(model: HeadModel) -> np.ndarray:
    """Skin, the inner mouth dark, eyeballs white with a dark middle."""
    mouth = {*mesh.INNER_UPPER_LIP, *mesh.INNER_LOWER_LIP, *mesh.INNER_MOUTH_CORNERS}
    eyes = {v for s in (0, 1) for v in (*mesh.UPPER_LIDS[s], *mesh.LOWER_LIDS[s], *mesh.EYE_CORNERS[s])}
    irises = set(np.ravel(mesh.IRISES).tolist())
    centres = {mesh.IRISES[0][0], mesh.IRISES[1][0]}
    colours = np.tile(np.array(SKIN), (len(model.triangles), 1))
    for row, corners in enumerate(model.triangles.tolist()):
        if mouth.issuperset(corners):
            colours[row] = (120.0, 62.0, 62.0)
        elif centres.intersection(corners):
            colours[row] = (70.0, 84.0, 96.0)
        elif (eyes | irises).issuperset(corners):
            colours[row] = (240.0, 238.0, 234.0)
    return colours


def _sheet(cells: list[np.ndarray], columns: int, out: Path) -> None:
    cells = cells + [np.full_like(cells[0], 255)] * (-len(cells) % columns)
    rows = [np.concatenate(cells[i : i + columns], 1) for i in range(0, len(cells), columns)]
    out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(rows)).save(out, optimize=True)


def main(argv: list[str]) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="learn_head_model", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of clips, each showing one person")
    parser.add_argument(
        "--out", type=Path, default=mesh.asset_folder() / "builtin.npz", help="model to write"
    )
    parser.add_argument("--cache", type=Path, help="folder that keeps landmarks between runs")
    parser.add_argument(
        "--people",
        type=Path,
        help='JSON with "same" (lists of clips of one person) and "leave_out" (clips not to learn from)',
    )
    parser.add_argument(
        "--folds", type=int, default=6, help="folds of the leave-people-out measure; 0 for none"
    )
    parser.add_argument("--pictures", type=Path, help="folder for pictures of handles and components")
    chosen = parser.parse_args(argv)
    try:
        listed = json.loads(chosen.people.read_text("utf-8")) if chosen.people else {}
        people = gather_people(
            chosen.folder, chosen.cache, listed.get("same", ()), listed.get("leave_out", ())
        )
        model, mean = learn(people, chosen.out, LearnSettings(), chosen.folds, _print)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 2
    if chosen.pictures:
        draw_handles(model, chosen.pictures / "head_handles.png")
        draw_components(model, chosen.pictures / "head_components.png")
    print(
        f"{chosen.out.name}: {len(people)} people, {EXPRESSIONS} expressions, {model.identities} identities"
    )
    if mean:
        print("left out:", json.dumps({k: round(v, 5) for k, v in asdict(mean).items()}))
    return 0


def _print(done: int, total: int | None, what: str) -> None:
    print(f"{what} ({done}/{total})" if total else f"{what} ({done})", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
