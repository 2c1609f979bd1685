"""``demo``: the whole way on the bundled sample."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.build_job import plan_build
from pipelines.cli.animating import VIDEOS, AnimateOptions, animate
from pipelines.cli.building import make
from pipelines.cli.importing import import_and_track
from pipelines.cli.places import refuse_place
from pipelines.cli.screen import Screen, counted
from pipelines.cli.words import Everywhere, Output, parse
from studio.project.avatar_files import load_avatar

CONTROLS = Path(__file__).resolve().parents[2] / "assets" / "demo_controls.json"
"""What the avatar does in the demo."""
OUTPUT = Path("demo.mp4")
"""What it writes unless told otherwise."""
SUBJECT = "Sample"
"""The demo's subject."""


@dataclass(frozen=True, kw_only=True)
class DemoOptions(Everywhere):
    """What ``demo`` can be told."""

    output: Output = OUTPUT
    """The MP4 to write; demo.mp4 is replaced without asking."""
    overwrite: bool = False
    """Replace another output if there is such a file already."""
    headless: bool = False
    """Never open a window."""


def command(words: list[str]) -> int:
    """Run the command."""
    options: DemoOptions = parse(DemoOptions, words, "demo", "Build and animate the bundled sample.")
    screen, store = Screen(), options.store
    # What it wrote last time under its own name is nobody's only copy.
    own = options.output == OUTPUT
    refuse_place(options.output, VIDEOS, store=store, overwrite=options.overwrite or own)
    from pipelines.make_sample import make_sample, sample_path

    clip = sample_path(store.home)
    with screen.working() as progress:
        make_sample(clip, progress=progress)
    done = import_and_track(screen, store, SUBJECT, clip)
    build = plan_build(done.subject, done.clip, "instant")
    make(screen, build)
    wanted = AnimateOptions(name=SUBJECT, controls=CONTROLS, output=options.output, home=options.home)
    exported = animate(screen, store, done.subject, load_avatar(build.avatar), wanted)
    screen.say(f"{options.output.absolute()}: {counted(exported.frames, 'frame')}.")
    return 0
