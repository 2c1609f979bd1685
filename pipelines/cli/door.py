"""From words to a command, and from what happened to an exit status."""

from __future__ import annotations

import difflib
import importlib
import io
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from pipelines.cli.interrupts import listening
from pipelines.training.elsewhere import StoppedElsewhere
from pipelines.training.first import is_first
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted

COMMANDS: dict[str, tuple[str, str]] = {
    "import": ("pipelines.cli.importing:command", "Bring a phone video in and track the face."),
    "build": ("pipelines.cli.building:command", "Build an avatar of a subject."),
    "animate": (
        "pipelines.cli.animating:command",
        "Drive an avatar with a clip or a control file into an MP4.",
    ),
    "edit": (
        "pipelines.cli.editing:command",
        "Edit a person: words, shapes, colours and directions as sliders that every pose keeps.",
    ),
    "evaluate": (
        "pipelines.cli.evaluating:command",
        "Measure an avatar on the part of its clip it never saw.",
    ),
    "compare": (
        "pipelines.cli.comparing:command",
        "Compare all engines on the part of a clip that none of them saw.",
    ),
    "ablate": ("pipelines.cli.ablating:command", "Measure what each part of an engine is worth."),
    "judge": (
        "pipelines.cli.judging:command",
        "Measure edits one by one: do they do what they say, and nothing else?",
    ),
    "sweep": (
        "pipelines.cli.sweeping:command",
        "Sweep an avatar's controls one by one: does it do what it is asked?",
    ),
    "consistency": (
        "pipelines.cli.looking:command",
        "See an avatar from many sides: is it one head, one person?",
    ),
    "train-people": (
        "pipelines.cli.training_people:command",
        "Train a base model on a corpus of people, with which one picture becomes an avatar.",
    ),
    "evaluate-people": (
        "pipelines.cli.judging_people:evaluate",
        "Measure a base model on people it never saw, one picture each.",
    ),
    "bitrate": (
        "pipelines.cli.judging_people:bitrate",
        "Measure how good a base model is for how few bytes a frame.",
    ),
    "ablate-people": (
        "pipelines.cli.judging_people:ablate",
        "Measure what each part of a base model is worth.",
    ),
    "expression-space": (
        "pipelines.cli.telling_expressions:command",
        "Measure what a base model's space of expressions leaves of who it is, and of what faces do.",
    ),
    "controls": ("pipelines.cli.naming:command", "List what control files can name, with units and limits."),
    "prepare": (
        "pipelines.cli.preparing:command",
        "Make a corpus of a folder of clips of many people, to train on.",
    ),
    "demo": ("pipelines.cli.demonstrating:command", "Build and animate the bundled sample."),
    "bench": ("pipelines.cli.benching:command", "Measure the speed of tracking, rendering and export here."),
    "list": (
        "pipelines.cli.listing:command",
        "Show subjects, clips, avatars, base models and unfinished work.",
    ),
    "remove": ("pipelines.cli.removing:remove", "Move a subject or a base model to the trash."),
    "restore": ("pipelines.cli.removing:restore", "Bring back what remove took."),
}
"""Name to what runs it and one sentence."""
ELSEWHERE = {
    "studio": "Open the window (so does no command at all, where there is a screen).",
    "doctor": "Say what works on this machine, what does not, and what to do.",
    "test": "Run the checks and the tests.",
}
"""Commands that main.py answers before this module is asked."""

DEFECT, PROBLEM, INTERRUPTED = 1, 2, 130


def run(argv: list[str]) -> int:
    """Run one command line. Never raises."""
    for stream in (sys.stdout, sys.stderr):
        # A console that cannot show every letter must not end the command.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        home, words = _take_home(argv)
        if words[:1] == ["--run-job"]:
            from pipelines import run as worker

            return worker.main(words[1:])
        if not words or words[0] in ("-h", "--help", "help"):
            print(overview())
            return 0 if words else PROBLEM
        if words[0] not in COMMANDS:
            near = difflib.get_close_matches(words[0], [*COMMANDS, *ELSEWHERE], 1)
            hint = f"did you mean {near[0]!r}?" if near else "run main.py --help for the list."
            raise Problem(f"There is no command {words[0]!r}: {hint}")
        with listening() as ears:
            module, name = COMMANDS[words[0]][0].split(":")
            command: Callable[[list[str]], int] = getattr(importlib.import_module(module), name)
            code = command([*words[1:], *home])
            ears.obey()
            return code
    except StoppedElsewhere:
        return PROBLEM
    except Problem as problem:
        print(f"{problem}", file=sys.stderr)
        return PROBLEM
    except (Interrupted, KeyboardInterrupt):
        if is_first():
            print(
                "Stopped. What was finished is kept: the same command continues from there.", file=sys.stderr
            )
        return INTERRUPTED
    except SystemExit as end:  # the option parser's way to say help was shown, or a word was wrong
        return end.code if isinstance(end.code, int) else (0 if end.code is None else PROBLEM)
    except BrokenPipeError:  # the reader of our output, e.g. `head`, has enough
        with suppress(OSError):
            sys.stdout = None
        return 0
    except Exception as error:
        return _defect(error, argv)


def overview() -> str:
    """What ``--help`` prints."""
    words = {name: sentence for name, (_, sentence) in COMMANDS.items()} | ELSEWHERE
    width = max(map(len, words))
    lines = [
        "Avatar Studio: a phone video of a face becomes an avatar that you can pose, drive and export.",
        "",
        "usage: python main.py COMMAND [OPTIONS] [--home DIR]",
        "",
        *(f"  {name:<{width}}  {sentence}" for name, sentence in words.items()),
        "",
        "python main.py COMMAND --help explains a command's options. Projects live in --home DIR, else in",
        "the folder that AVATAR_STUDIO_HOME names, else in the platform's own place for user data.",
    ]
    return "\n".join(lines)


def _take_home(argv: list[str]) -> tuple[list[str], list[str]]:
    """``--home DIR`` before the command means the same as after it."""
    words = list(argv)
    home: list[str] = []
    while words and (words[0] == "--home" or words[0].startswith("--home=")):
        taken = 1 if "=" in words[0] else 2
        home, words = words[:taken], words[taken:]
        if len(home) < taken:
            raise Problem("--home needs a folder: --home DIR.")
    return home, words


def _defect(error: Exception, argv: list[str]) -> int:
    from pipelines.cli.screen import JobBroke

    if isinstance(error, JobBroke):
        log: Path | None = error.log
        sentence = str(error)
    else:
        log = _write_log("".join(traceback.format_exception(error)), argv)
        sentence = f"{type(error).__name__}: {error}"
    place = f" The details are in {log}" if log else ""
    print(f"Something went wrong that should not: {sentence}{place}", file=sys.stderr)
    return DEFECT


def _write_log(text: str, argv: list[str]) -> Path | None:
    """Keep a traceback where the user finds it: under home, else in the temporary folder."""
    from studio.project.store import home_folder

    name = f"error-{datetime.now():%Y%m%d-%H%M%S}.txt"
    chosen = None
    for before, word in zip(["", *argv], argv, strict=False):
        if before == "--home":
            chosen = Path(word)
        elif word.startswith("--home="):
            chosen = Path(word.partition("=")[2])
    for folder in (home_folder(chosen) / "logs", Path(tempfile.gettempdir())):
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            file = folder / name
            file.write_text(f"main.py {' '.join(argv)}\n\n{text}", encoding="utf-8")
            return file
    return None
