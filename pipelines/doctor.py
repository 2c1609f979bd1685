"""`doctor`: what this machine has, what works on it, and what to do about the rest."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from studio import devices
from studio.assets import WEIGHTS_VARIABLE, AssetLibrary
from studio.project.store import home_folder

State = Literal["ok", "note", "bad"]
LIBRARIES = {
    "torch": "torch",
    "torchvision": "torchvision",
    "mediapipe": "mediapipe",
    "cv2": "opencv-python-headless",
    "av": "av",
    "numpy": "numpy",
    "scipy": "scipy",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "numba": "numba",
    "piq": "piq",
    "lpips": "lpips",
    "open_clip": "open-clip-torch",
    "PySide6.QtWidgets": "pyside6-essentials",
    "pyqtgraph": "pyqtgraph",
}
# The embedded path (import, build, animate, export) runs without these.
OPTIONAL = {"lpips", "open_clip", "PySide6.QtWidgets", "pyqtgraph", "torchvision"}
WORDS = "editing by words"
"""Its line stands by itself: it is what people look for first, and a generator alone does not give it."""
MISSING = "missing"
"""How the finding of a weight that is not there begins."""
GIGABYTE = 1_000_000_000


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    topic: str
    """What was looked at."""
    state: State
    """``ok``; ``note``: something optional is off; ``bad``: the embedded path does not work."""
    detail: str
    """What was found."""
    advice: str = ""
    """What to do, empty when nothing needs doing."""


def examine(home: Path) -> Iterator[Finding]:
    """Look at everything, one finding at a time (imports take seconds). Never raises."""
    checks: tuple[tuple[str, Callable[[Path], Iterator[Finding]]], ...] = (
        ("machine", _machine),
        ("libraries", _libraries),
        ("GPU", _gpu),
        ("ffmpeg", _ffmpeg),
        ("Qt", _qt),
        ("home", _home),
        ("head model", _head_model),
        ("weights", _weights),
        (WORDS, _words),
    )
    for topic, check in checks:
        try:
            yield from check(home)
        except Exception as error:  # a doctor that falls ill helps nobody
            yield Finding(topic, "bad", f"{type(error).__name__}: {error}", "Please report this.")


def verdict(findings: list[Finding]) -> str:
    """One line."""
    bad = [finding for finding in findings if finding.state == "bad"]
    if bad:
        return f"Not ready: {', '.join(finding.topic for finding in bad)}. {bad[0].advice}".rstrip()
    off = sum(finding.state == "note" for finding in findings)
    extras = f" ({off} optional {'thing is' if off == 1 else 'things are'} off)" if off else ""
    return f"Ready: import, build, animate and export work on this machine{extras}."


def main(argv: list[str] | None = None, home: Path | None = None) -> int:
    """Print the report. Returns 0 when the embedded path works, otherwise 2."""
    parser = argparse.ArgumentParser(prog="main.py doctor", description=__doc__)
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    parser.add_argument("--weights", action="store_true", help="all about the weights: sources and licences")
    parser.add_argument("--home", type=Path, default=home, help="where projects live")
    options = parser.parse_args(argv)
    return report(home_folder(options.home), as_json=options.json, all_weights=options.weights)


def report(home: Path, as_json: bool = False, all_weights: bool = False) -> int:
    """Print as a table or as JSON, which tells all. Returns 0 when the embedded path works, otherwise 2."""
    findings = list(examine(home))
    good = all(finding.state != "bad" for finding in findings)
    if as_json:
        content = {
            "ready": good,
            "verdict": verdict(findings),
            "findings": [asdict(finding) for finding in findings],
            "devices": _devices(),
        }
        print(json.dumps(content, indent=1, ensure_ascii=False))
    else:
        _print_table(findings if all_weights else _briefly(findings))
    return 0 if good else 2


def _devices() -> list[dict[str, object]]:
    """What can be computed on, the fastest first, for whoever must not load torch to find out."""
    try:
        return [asdict(device) for device in devices.devices()]
    except Exception:  # a torch that does not load is told among the findings
        return [asdict(devices.cpu())]


def _briefly(findings: list[Finding]) -> list[Finding]:
    """The findings with one line for all weights that are missing."""
    missing = [f for f in findings if f.state == "note" and f.detail.startswith(MISSING)]
    kept = [finding for finding in findings if finding not in missing and finding.topic != "weights"]
    if not missing:
        return kept
    names = ", ".join(finding.topic for finding in missing)
    count = "1 optional file is" if len(missing) == 1 else f"{len(missing)} optional files are"
    advice = "The main path needs none of them; python main.py doctor --weights says what each is for."
    return [*kept, Finding("weights", "note", f"{count} missing: {names}", advice)]


def _print_table(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    styles = {"ok": "green", "note": "yellow", "bad": "bold red"}
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for finding in findings:
        words = finding.detail + (f"\n{finding.advice}" if finding.advice else "")
        table.add_row(finding.topic, Text(finding.state, styles[finding.state]), Text(words))
    console = Console(width=None if sys.stdout.isatty() else 150)
    console.print(table)
    console.print(Text(verdict(findings), "bold"))


def _machine(home: Path) -> Iterator[Finding]:
    version = platform.python_version()
    supported = (3, 11) <= sys.version_info[:2] <= (3, 12)
    yield Finding(
        "Python",
        "ok" if supported else "bad",
        f"{version} in {sys.prefix}",
        "" if supported else "Start with Python 3.11 or 3.12: python main.py doctor.",
    )
    processor = devices.cpu()
    yield Finding("machine", "ok", f"{platform.system()} {platform.release()}, {processor.title}")
    enough = processor.memory >= 4 * GIGABYTE
    yield Finding(
        "memory",
        "ok" if enough else "note",
        f"{processor.memory / GIGABYTE:.1f} GB, {processor.free / GIGABYTE:.1f} GB free",
        "" if enough else "Less than 4 GB is tight: build with the smallest preset.",
    )


def _libraries(home: Path) -> Iterator[Finding]:
    for module, package in LIBRARIES.items():
        try:
            importlib.import_module(module)
            yield Finding(package, "ok", importlib.metadata.version(package))
        except Exception as error:  # a broken binary raises whatever it likes
            optional = module in OPTIONAL
            words = str(error).splitlines()[0] if str(error) else type(error).__name__
            advice = f"Delete {sys.prefix} and run again; it is made anew."
            yield Finding(package, "note" if optional else "bad", words, advice)
    copies = [d.name for d in importlib.metadata.distributions() if d.name.lower().startswith("opencv-")]
    if len(copies) > 1:
        advice = f"Delete {sys.prefix} and run again: two copies of OpenCV break each other and Qt."
        yield Finding("OpenCV", "note", ", ".join(sorted(copies)), advice)


def _gpu(home: Path) -> Iterator[Finding]:
    for device in devices.devices()[:-1]:
        free, whole = device.free / GIGABYTE, device.memory / GIGABYTE
        yield Finding("GPU", "ok", f"{device.title} ({device.kind}), {whole:.0f} GB, {free:.0f} GB free")
        return
    driver = shutil.which("nvidia-smi") is not None
    yield Finding(
        "GPU",
        "note" if driver else "ok",
        "an NVIDIA driver is here but torch cannot use it" if driver else "none; the CPU is used",
        "Update the driver, or delete the environment and run again." if driver else "",
    )


def _ffmpeg(home: Path) -> Iterator[Finding]:
    import imageio_ffmpeg

    try:
        program = imageio_ffmpeg.get_ffmpeg_exe()
        said = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=30, check=True)
        yield Finding("ffmpeg", "ok", said.stdout.split("Copyright")[0].strip())
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        advice = f"Delete {sys.prefix} and run again; it is made anew."
        yield Finding("ffmpeg", "bad", str(error), advice)


def _qt(home: Path) -> Iterator[Finding]:
    # In a process of its own: Qt ends the process when it finds no platform that works.
    ask = (
        "from PySide6.QtGui import QGuiApplication as A; import PySide6; a = A([]);"
        "print(PySide6.__version__, a.platformName())"
    )
    seen = sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    variables = dict(os.environ) if seen else {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    try:
        said = subprocess.run(
            [sys.executable, "-c", ask],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=variables,
        )
    except subprocess.SubprocessError as error:
        yield Finding("Qt", "note", str(error), "The command line works without a window.")
        return
    if said.returncode:
        words = (said.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        advice = "The command line works without it; on Linux the window needs libegl1 and libxkbcommon0."
        yield Finding("Qt", "note", words, advice)
    else:
        version, name = said.stdout.split()
        yield Finding("Qt", "ok", f"{version}, platform {name}{'' if seen else ' (no display here)'}")


def _home(home: Path) -> Iterator[Finding]:
    standing = next(folder for folder in (home, *home.parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=standing):
            pass
    except OSError as error:
        advice = "Choose another place with --home or AVATAR_STUDIO_HOME."
        yield Finding("home", "bad", f"{home} cannot be written ({error.strerror})", advice)
        return
    yield Finding("home", "ok", str(home) + ("" if home.exists() else " (made on first use)"))
    free = shutil.disk_usage(standing).free
    enough = free >= 2 * GIGABYTE
    advice = "" if enough else "An imported minute of video takes up to 1 GB: make room."
    yield Finding("disk", "ok" if enough else "note", f"{free / GIGABYTE:.1f} GB free", advice)


def _head_model(home: Path) -> Iterator[Finding]:
    from studio.head import builtin_head

    model = builtin_head()
    yield Finding("head model", "ok", f"{model.id}, {len(model.landmark_ids)} landmarks")


def _weights(home: Path) -> Iterator[Finding]:
    library = AssetLibrary(home)
    missing = False
    for asset in library.assets.values():
        path = library.find(asset.id)
        sentence = library.missing(asset.id)
        if path is None:
            missing = True
            advice = f"{asset.files[0]} from {asset.source} (licence: {asset.licence})"
            word = f"{MISSING}; will unlock" if asset.planned else f"{MISSING}; unlocks"
            yield Finding(asset.id, "note", f"{word} {asset.unlocks}", advice)
        elif sentence is None:
            yield Finding(asset.id, "ok", f"{path}, for {asset.unlocks}")
        else:
            yield Finding(asset.id, "note", f"not usable; unlocks {asset.unlocks}", sentence)
    if missing:
        yield Finding(
            "weights", "ok", f"missing ones go into {library.weights}, or where {WEIGHTS_VARIABLE} points"
        )


def _words(home: Path) -> Iterator[Finding]:
    from studio.editing.clip_files import clip_missing

    sentence = clip_missing(AssetLibrary(home))
    if sentence is None:
        yield Finding(WORDS, "ok", "a CLIP is here; it works with an avatar that has a generator (pvp)")
    else:
        yield Finding(WORDS, "note", "off, for want of a CLIP; shapes, colours and light need none", sentence)


if __name__ == "__main__":
    sys.exit(main())
