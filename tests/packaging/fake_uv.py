"""Stands in for uv: notes how it was called, and does or fails what FAKE_UV says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

arguments = sys.argv[1:]
behaviour = json.loads(os.environ["FAKE_UV"])
with Path(behaviour["log"]).open("a", encoding="utf-8") as log:
    log.write(json.dumps(arguments) + "\n")

if arguments[:1] == ["venv"]:
    wanted = arguments[arguments.index("--python") + 1]
    if wanted in behaviour.get("no_python", []):
        sys.exit("error: No interpreter found; error sending request")
    base = getattr(sys, "_base_executable", sys.executable)
    python = wanted if os.sep in wanted else base
    subprocess.run([python, "-m", "venv", "--without-pip", arguments[-1]], check=True)
elif arguments[:2] == ["pip", "compile"]:
    if "torch" not in behaviour:
        sys.exit("error: dns error")
    print("filelock==1.0\n" + "\n".join(behaviour["torch"]))
elif arguments[:2] == ["pip", "install"]:
    if "install_error" in behaviour:
        sys.exit(behaviour["install_error"])
    listing = Path(arguments[arguments.index("-r") + 1])
    Path(behaviour["installed"]).write_text(listing.read_text(encoding="utf-8"), encoding="utf-8")
