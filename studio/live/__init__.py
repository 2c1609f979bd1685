"""Live rendering in a process of its own: the window asks, the newest request wins, frames come back."""

from studio.live.client import LiveFrame, LiveWorker
from studio.live.driven import driven_state
from studio.live.driving import Drive, LiveDriver, Seen
from studio.live.handles import LiveHandle
from studio.live.meter import Liveliness, LiveMeter

__all__ = [
    "Drive",
    "LiveDriver",
    "LiveFrame",
    "LiveHandle",
    "LiveMeter",
    "LiveWorker",
    "Liveliness",
    "Seen",
    "driven_state",
]
