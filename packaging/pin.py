"""Regenerate constraints.txt: every direct and indirect dependency as ``name==version``.

    python packaging/pin.py             # keep what is pinned, add what is new, drop what is gone
    python packaging/pin.py --upgrade   # take the newest versions everywhere

One universal resolution by uv covers Linux, Windows and macOS on Python 3.11 and 3.12; what belongs to one
system only carries a marker. The overrides of pyproject.toml keep mediapipe's unneeded dependencies out.
"""

from __future__ import annotations

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


def main(arguments: list[str]) -> int:
    """Resolve and replace constraints.txt. Returns uv's exit status."""
    uv = shutil.which("uv")
    if uv is None:
        sys.exit("packaging/pin.py needs uv on the PATH.")
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
