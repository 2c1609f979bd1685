"""Regenerate constraints.txt: every direct and indirect dependency as ``name==version``.

    python packaging/pin.py             # keep what is pinned, add what is new, drop what is gone
    python packaging/pin.py --upgrade   # take the newest versions everywhere
    python packaging/pin.py --check     # change nothing, only ask whether every system has all wheels

One universal resolution by uv covers Linux, Windows and macOS on Python 3.11 and 3.12; what belongs to one
system only carries a marker. The overrides of pyproject.toml keep mediapipe's unneeded dependencies out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Lines with these can never apply on a system we support.
NEVER = ("sys_platform == 'never'", "sys_platform == 'emscripten'")
# Always true inside requires-python, so they would only blur the file.
NOISE = (
    "python_full_version < '3.15' and ",
    "python_full_version < '3.16' and ",
    " ; sys_platform != 'emscripten'",
    " ; platform_python_implementation != 'PyPy'",
)

# The oldest systems that are supported; README.md names them.
SYSTEMS: dict[str, dict[str, str]] = {
    "windows": {},
    "macos": {"MACOSX_DEPLOYMENT_TARGET": "14.0"},
    "x86_64-manylinux_2_34": {},
}


def tidy(compiled: str) -> str:
    """uv's output as the lines of a constraints file: supported systems only, sorted, one a line."""
    lines = []
    for compiled_line in compiled.splitlines():
        line = compiled_line
        if "==" not in line or line.lstrip().startswith(("#", "-")) or any(never in line for never in NEVER):
            continue
        for noise in NOISE:
            line = line.replace(noise, "")
        lines.append(line.strip())
    return "".join(f"{line}\n" for line in sorted(lines))


def resolve(uv: str, arguments: list[str]) -> int:
    """Replace constraints.txt by a new resolution. Returns uv's exit status."""
    target = ROOT / "constraints.txt"
    with tempfile.TemporaryDirectory() as folder:
        compiled = Path(folder) / "constraints.txt"
        if target.exists():
            shutil.copy(target, compiled)  # uv prefers the versions that it finds in its output file
        command = [uv, "pip", "compile", "pyproject.toml", "--group", "dev", "--universal", "--quiet"]
        command += ["--python-version", "3.11", "--no-annotate", "--no-header", "-o", str(compiled)]
        status = subprocess.run([*command, *arguments], cwd=ROOT, check=False).returncode
        if status == 0:
            beside = target.with_suffix(".new")
            beside.write_text(tidy(compiled.read_text()), encoding="utf-8", newline="\n")
            beside.replace(target)
    return status


def check(uv: str) -> int:
    """Has every pinned package a wheel for every supported system and Python? Returns 0 or 1."""
    status = 0
    for system, variables in SYSTEMS.items():
        for version in ("3.11", "3.12"):
            command = [
                uv,
                "pip",
                "compile",
                "constraints.txt",
                "--no-deps",
                "--only-binary",
                ":all:",
                "--quiet",
            ]
            command += ["--python-platform", system, "--python-version", version]
            done = subprocess.run(
                command,
                cwd=ROOT,
                env={**os.environ, **variables},
                capture_output=True,
                text=True,
                check=False,
            )
            reasons = [line for line in done.stderr.splitlines() if "require" in line and "wheel" in line]
            print(f"{system}, Python {version}: {'all wheels there' if done.returncode == 0 else 'MISSING'}")
            print(*reasons, sep="\n", end="\n" if reasons else "")
            status = status or (1 if done.returncode else 0)
    return status


def main(arguments: list[str]) -> int:
    """Do what was asked. Returns the exit status."""
    uv = shutil.which("uv")
    if uv is None:
        sys.exit("packaging/pin.py needs uv on the PATH.")
    if arguments != ["--check"]:
        status = resolve(uv, arguments)
        if status:
            return status
    return check(uv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
