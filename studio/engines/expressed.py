"""An avatar whose face expresses more than it is asked for: emotions, for every engine alike.

An engine is asked for a state, and expression edits are nothing but another state. So they need no engine's
help: what is asked is changed before it gets there.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from studio.domain.controls import (
    HEAD_NAMES,
    ControlSheet,
    ControlState,
    motion_from_values,
    track_from_motion,
)
from studio.domain.edits import EditStack, ExpressionShift
from studio.domain.problem import Problem
from studio.domain.rendering import Frame, RenderRequest
from studio.engines.engine import Engine
from studio.head import HeadModel, builtin_head
from studio.head.expressing import expressing

_CAMERA = np.array([1.0, 0.0, 0.0], np.float32)
"""Any will do: where the head is does not matter to its expression."""


class ExpressedEngine:
    """Passes on what an engine is asked for, with the expression edits of a stack in it."""

    def __init__(self, engine: Engine, edits: EditStack) -> None:
        """
        Args:
            engine: it must be driven by head controls, first of all others; closed by this.
            edits: of which some are expression edits.

        Raises:
            Problem: one of them belongs to another head model.
        """
        self._engine, self._edits, self._model = engine, edits, builtin_head()
        self._places = list(edits.of(ExpressionShift))
        chosen = [edits.edits[place] for place in self._places]
        for edit in chosen:
            _check(edit.title, edit.effect, self._model)
        self._shifts = tuple(edit.effect for edit in chosen if isinstance(edit.effect, ExpressionShift))

    @property
    def sheet(self) -> ControlSheet:
        """As the engine's."""
        return self._engine.sheet

    def render(self, request: RenderRequest) -> Frame:
        """Draw one frame; see :class:`studio.engines.engine.Engine`."""
        state = self.expressed(request.state)
        frame = self._engine.render(replace(request, state=state))
        return replace(frame, request=request)

    def expressed(self, state: ControlState) -> ControlState:
        """The state that the engine is asked for in place of one; the very same where no expression edit
        shows."""
        strengths = self._edits.strengths(state)[self._places]
        if not strengths.any():
            return state
        count = len(HEAD_NAMES)
        if state.names[:count] != HEAD_NAMES:
            raise ValueError("expression edits need the head's controls, first of all")
        motion = motion_from_values(state.values[None], _CAMERA)
        moved = expressing(self._model, motion, self._shifts, strengths)
        values = state.values.copy()
        values[:count] = track_from_motion(moved, _CAMERA, Fraction(1)).values[0]
        # Through a camera and back costs a last bit: what an expression does not touch stays as it was.
        values[:6] = state.values[:6]
        return ControlState(state.names, values)

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()


def with_expressions(engine: Engine, edits: EditStack) -> Engine:
    """An engine that shows expression edits: itself where there are none."""
    return ExpressedEngine(engine, edits) if edits.of(ExpressionShift) else engine


def _check(title: str, effect: object, model: HeadModel) -> None:
    if isinstance(effect, ExpressionShift) and effect.head_model != model.id:
        raise Problem(
            f"The edit “{title}” was made for the head model “{effect.head_model}” and this avatar has "
            f"“{model.id}”: make the edit again for this avatar."
        )
