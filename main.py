"""Avatar Studio's one door.

    python main.py          open the studio's window
    python main.py demo     build an avatar of the bundled sample, animate it, write demo.mp4
    python main.py test     run the checks and the test suite
    python main.py --help   everything else

The first run makes a private environment beside this file (`.venv`, or where AVATAR_STUDIO_VENV points) and
starts itself again inside it. Up to that point only the standard library is used, and nothing newer than
Python 3.8, so that any Python that a machine happens to have can open the door.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
CALM = {"OPENBLAS_NUM_THREADS": "1"}
"""Set before numpy is imported, here and in every process started from here. OpenBLAS' helper threads wait by
spinning, so that after each small product of NumPy a core is taken from whoever has work: rendering and
training lose up to half of their speed on two cores. PyTorch, Numba and OpenCV keep their threads."""
INSIDE = "AVATAR_STUDIO_INSIDE"  # set for the second start, so that a broken environment cannot loop


def main(argv: list[str]) -> int:
    """Run one command line. Returns the exit status (2: something the user can put right)."""
    if sys.version_info < (3, 8):  # noqa: UP036 - any Python may try
        sys.stderr.write("Avatar Studio needs Python 3.8 or newer to set itself up; 3.11 or 3.12 is best.\n")
        return 2
    # packaging/ is a folder of scripts: as a package its name would be that of one on PyPI.
    sys.path.insert(0, str(ROOT / "packaging"))
    try:
        import bootstrap
        import checks
    finally:
        del sys.path[0]

    venv = bootstrap.venv_folder(ROOT)
    current = bootstrap.is_current(ROOT, venv)
    if not current:
        try:
            bootstrap.set_up(ROOT, venv)
        except bootstrap.SetupFailed as failure:
            sys.stderr.write(f"{failure}\n")
            return 2
        except KeyboardInterrupt:
            sys.stderr.write("\nSet-up stopped; the next run continues it.\n")
            return 130
    if not (current and bootstrap.runs_in(venv)):
        if os.environ.get(INSIDE):
            sys.stderr.write(f"The environment in {venv} does not start; delete that folder and run again.\n")
            return 2
        return bootstrap.start_again(venv, [str(ROOT / "main.py"), *argv], {INSIDE: "1"})
    os.environ.pop(INSIDE, None)
    for name, value in CALM.items():
        os.environ.setdefault(name, value)

    if argv[:1] == ["test"]:
        return checks.run(ROOT, argv[1:])
    before = 2 if argv[:1] == ["--home"] else int(bool(argv) and argv[0].startswith("--home="))
    home, words = argv[:before], argv[before:]
    if words[:1] == ["doctor"]:
        from pipelines import doctor

        return doctor.main([*words[1:], *home])
    if words[:1] == ["studio"] or (not words and has_screen()):
        from ui import app

        return app.main([*words[1:], *home])
    from pipelines import cli

    return cli.main(argv)


def has_screen() -> bool:
    """Whether a window could be shown: elsewhere than on Linux there always is a screen."""
    return not sys.platform.startswith("linux") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    )


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:  # before the command that was asked for could listen
        sys.stderr.write("\nStopped.\n")
        sys.exit(130)
