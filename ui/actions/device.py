"""What to compute on: kept by the window, and told to every process it starts."""

from __future__ import annotations

import os

from studio.devices import DEVICE_VARIABLE
from ui.session import Session


def use_device(kind: str) -> None:
    """Processes started from now on compute on this: cuda, mps, cpu, or auto for the fastest."""
    if kind == "auto":
        os.environ.pop(DEVICE_VARIABLE, None)
    else:
        os.environ[DEVICE_VARIABLE] = kind


def choose_device(session: Session, kind: str) -> None:
    """Use a device from now on, and the next time too."""
    session.preferences.keep("device", kind)
    use_device(kind)
