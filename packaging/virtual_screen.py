"""A screen that nobody sees: Xvfb with a window manager, for pictures of the window and for tests of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


def missing(*tools: str) -> str:
    """The first of Xvfb and these tools that this machine lacks; empty if it has all."""
    return next((tool for tool in ("Xvfb", *tools) if shutil.which(tool) is None), "")


@contextmanager
def virtual_screen(width: int, height: int, manager: str = "openbox") -> Iterator[dict[str, str]]:
    """A new screen of so many pixels.

    Args:
        width, height: pixels.
        manager: the window manager that gives windows the keyboard; none where it is not installed.

    Yields:
        The environment in which a program shows its windows there.
    """
    reads, writes = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writes), "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp"],
        pass_fds=(writes,),
        stderr=subprocess.DEVNULL,
    )
    os.close(writes)
    others: list[subprocess.Popen[bytes]] = []
    try:
        with open(reads) as said:
            display = said.readline().strip()  # empty if the server ended instead
        if not display:
            raise OSError("Xvfb did not start")
        environment = {**os.environ, "DISPLAY": f":{display}", "QT_QPA_PLATFORM": "xcb"}
        environment.pop("WAYLAND_DISPLAY", None)
        if shutil.which(manager):
            others.append(subprocess.Popen([manager], env=environment, stderr=subprocess.DEVNULL))
        yield environment
    finally:
        for process in (*others, server):
            process.terminate()
            process.wait()
