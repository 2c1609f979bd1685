"""How much memory drawing an avatar takes: in a process of its own that does nothing else.

Whoever compares engines holds several of them, and what measures them as well. So a fresh process opens one
avatar, draws frames of its clip at full quality, and says what it held at the most, Python and libraries
included.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from pipelines.apart import result_of, run_apart, tell
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent

FRAMES = 24
"""Frames that are drawn, spread over the held-out part."""


@dataclass(frozen=True)
class DrawingMemory:
    """What a process that draws an avatar held at the most."""

    process: float
    """Main memory, GB."""
    card: float | None
    """Memory allocated on a graphics card, GB; None without one."""


def drawing_memory(
    avatar: Path, tracked: Path, share: float, size: int, progress: Progress = silent
) -> DrawingMemory:
    """Draw frames of an avatar's clip in a process of its own.

    Args:
        avatar: its folder.
        tracked: folder of the clip's TrackedSequence.
        share: of the clip that is held out; frames are taken from there.
        size: side of the aligned crop in which they are drawn, pixels.
        progress: counts frames; when it raises, the process ends.

    Raises:
        Problem: the avatar cannot be opened.
    """
    words = [str(avatar), str(tracked), str(share), str(size)]

    def told(done: int, total: int | None, what: str) -> None:
        progress(done, total, what or "opening it to measure memory")

    answer = run_apart("pipelines.drawing_memory", words, told, modest=False)
    found = json.loads(result_of(answer, "Measuring memory").strip().splitlines()[-1])
    return DrawingMemory(found["process"], found["card"])


def main(argv: list[str]) -> int:
    """The process's side. Returns its exit status."""
    parser = argparse.ArgumentParser(prog="drawing_memory", description=__doc__)
    parser.add_argument("avatar", type=Path)
    parser.add_argument("tracked", type=Path)
    parser.add_argument("share", type=float)
    parser.add_argument("size", type=int)
    options = parser.parse_args(argv)
    try:
        found = _drawn(options.avatar, options.tracked, options.share, options.size)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 2
    print(json.dumps(asdict(found)))
    return 0


def _drawn(folder: Path, tracked: Path, share: float, size: int) -> DrawingMemory:
    import numpy as np

    from pipelines.asked_states import asked_states
    from pipelines.bench_rendering import gpu_memory
    from pipelines.bench_result import peak_memory
    from studio.domain.rendering import RenderRequest
    from studio.engines.catalog import engine_spec
    from studio.project.avatar_files import load_avatar
    from studio.project.sequence_files import load_sequence

    avatar, sequence = load_avatar(folder), load_sequence(tracked)
    held_out = sequence.split(share)[1]
    good = np.arange(len(sequence))[held_out][sequence.good[held_out]]
    frames = good[np.linspace(0, len(good) - 1, min(FRAMES, len(good))).round().astype(int)]
    rest = np.array(avatar.lineage["rest_camera"], np.float32)
    engine = engine_spec(avatar.engine).load(avatar)
    try:
        for k, state in enumerate(asked_states(engine.sheet, rest, sequence, frames)):
            engine.render(RenderRequest(state, sequence.crop_view(int(frames[k]), size)))
            tell(k + 1, len(frames), "measuring memory")
    finally:
        engine.close()
    card = gpu_memory() if "torch" in sys.modules else None
    return DrawingMemory(peak_memory(), card)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
