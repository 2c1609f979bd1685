"""The live worker: ``python -m studio.live.worker MEMORY``, started by :class:`studio.live.LiveWorker`.

It hears through its standard input, answers through its standard output, opens one avatar and draws until its
input ends: whoever started it is gone then, however that came about.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from dataclasses import replace
from typing import IO

import numpy as np

from studio.domain.avatar import Avatar
from studio.domain.controls import ControlSheet, ControlState
from studio.domain.problem import Problem
from studio.domain.rendering import Layer, RenderRequest
from studio.engines.engine import Engine
from studio.live.mailbox import Mailbox
from studio.live.messages import Draw, Drawn, Failed, Open, Opened, Release, channels, receive, send
from studio.live.pictures import SLOTS, Pictures


def conformed(request: RenderRequest, sheet: ControlSheet, layers: tuple[Layer, ...]) -> RenderRequest:
    """The request in the columns of another sheet: what it does not know is left out, the rest neutral.

    A layer that is not offered becomes the picture.
    """
    if request.layer not in layers:
        request = replace(request, layer="picture")
    state = request.state
    if state.names == sheet.names:
        return request
    values = dict(zip(state.names, state.values.tolist()))
    filled = [values.get(control.name, control.default) for control in sheet.controls]
    return replace(request, state=ControlState(sheet.names, np.array(filled, np.float32)))


def open_engine(avatar: Avatar) -> tuple[Engine, Opened]:
    """The avatar, ready to draw, and what to say about it. Raises Problem when it cannot be opened."""
    from studio.engines.catalog import engine_spec
    from studio.head import builtin_head
    from studio.live.handles import live_handles

    spec = engine_spec(avatar.engine)
    engine = spec.load(avatar)
    handles = live_handles(builtin_head().handles.values(), engine.sheet)
    return engine, Opened(engine.sheet, handles, spec.layers)


def serve(avatar: Avatar, mailbox: Mailbox, pictures: Pictures, answers: IO[bytes]) -> int:
    """Open the avatar and draw for as long as somebody listens. Returns the exit status."""
    try:
        engine, opened = open_engine(avatar)
        send(answers, opened)
    except Exception as error:
        send(answers, failure(None, error))
        return 1
    while True:
        taken = mailbox.take()
        assert taken is not None
        draw, slot = taken
        request = draw.request or RenderRequest(engine.sheet.neutral(), avatar.stage)
        try:
            frame = engine.render(conformed(request, opened.sheet, opened.layers))
            pictures.write(slot, frame.image, frame.alpha)
        except Exception as error:
            mailbox.release(slot)
            send(answers, failure(draw.ticket, error))
        else:
            covered = frame.alpha is not None
            send(answers, Drawn(draw.ticket, request, slot, covered, frame.milliseconds))


def failure(ticket: int | None, error: Exception) -> Failed:
    """What to say about an error: problems and used-up memory in their own words."""
    from studio.devices import memory_problem

    what = "Opening the avatar" if ticket is None else "Drawing the avatar"
    problem = error if isinstance(error, Problem) else memory_problem(error, what)
    if problem is not None:
        return Failed(ticket, str(problem), "")
    words = f"{what} failed ({type(error).__name__}): build it again, or choose another avatar."
    return Failed(ticket, words, "".join(traceback.format_exception(error)))


def _listen(requests: IO[bytes], mailbox: Mailbox) -> None:
    """Sort what the window says into the mailbox; the process ends with the window, whatever it does."""
    while (message := receive(requests)) is not None:
        if isinstance(message, Draw):
            mailbox.put(message)
        elif isinstance(message, Release):
            mailbox.release(message.slot)
    os._exit(0)


def main(words: list[str]) -> int:
    """Command line of a live worker."""
    if len(words) != 1:
        print("usage: python -m studio.live.worker MEMORY", file=sys.stderr)
        return 2
    requests, answers = channels()
    pictures = Pictures.attach(words[0])
    first = receive(requests)
    if not isinstance(first, Open):
        return 0
    mailbox = Mailbox(SLOTS)
    threading.Thread(target=_listen, args=(requests, mailbox), name="live-listen", daemon=True).start()
    try:
        status = serve(first.avatar, mailbox, pictures, answers)
    except OSError:  # nobody listens any more
        status = 0
    # Libraries' threads are not waited for.
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
