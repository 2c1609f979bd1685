"""A command as it can be pasted into a terminal, for sentences that say what to do next."""

from __future__ import annotations

import os
import shlex


def command_line(command: str, name: str, rest: str = "") -> str:
    """``python main.py build 'My name'``.

    Args:
        command: the command's name.
        name: one argument, whatever is in it.
        rest: further words, as they are typed.
    """
    return " ".join(filter(None, ["python main.py", command, typed(name), rest]))


def typed(name: str) -> str:
    """An argument as it is typed into this platform's usual terminal."""
    if os.name != "nt":
        return shlex.quote(name)
    return name if name.isalnum() and name.isascii() else '"' + name.replace('"', '\\"') + '"'
