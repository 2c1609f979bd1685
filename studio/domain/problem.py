"""The one exception meant for a person's eyes."""

from __future__ import annotations


class Problem(Exception):
    """Something the user can understand and act on.

    The message is one clear sentence (or two) that says what is wrong and what to do; the command
    line prints it without a traceback and exits with status 2, the window shows it in a banner.
    Anything else that escapes is a defect of ours and keeps its traceback.
    """
