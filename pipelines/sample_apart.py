"""Make the bundled sample clip in a process of its own: its renderer is too much for a window."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipelines.apart import result_of, run_apart, tell
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent

CONSENT = "The portrait of astronaut Eileen Collins by NASA, which is in the public domain."
"""Whose face it is and with whose permission."""


def make_sample_apart(home: Path, progress: Progress = silent) -> Path:
    """The sample clip of a home, made if it is not there yet.

    Args:
        home: the home folder.
        progress: counts frames; when it raises, the process ends and nothing is left.

    Raises:
        Problem: the disk said no.
    """
    from pipelines.make_sample import sample_path

    clip = sample_path(home)
    result_of(run_apart("pipelines.sample_apart", [str(clip)], progress), "Making the sample")
    return clip


def main(argv: list[str]) -> int:
    """The process's side. Returns its exit status."""
    from pipelines.make_sample import SampleSettings, make_sample

    parser = argparse.ArgumentParser(prog="sample_apart", description=__doc__)
    usual = SampleSettings()
    parser.add_argument("clip", type=Path)
    parser.add_argument("--size", type=int, default=usual.size)
    parser.add_argument("--seconds", type=float, default=usual.seconds)
    options = parser.parse_args(argv)
    try:
        make_sample(options.clip, SampleSettings(options.size, options.seconds), tell)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
