"""Live rendering in a process of its own: the window asks, the newest request wins, frames come back."""

from studio.live.client import LiveFrame, LiveWorker
from studio.live.handles import LiveHandle
from studio.live.meter import Liveliness, LiveMeter

__all__ = ["LiveFrame", "LiveHandle", "LiveMeter", "LiveWorker", "Liveliness"]
