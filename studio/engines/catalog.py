"""Every engine there is, also those that cannot run here."""

from __future__ import annotations

import difflib
from pathlib import Path

from studio.domain.problem import Problem
from studio.engines.engine import EngineSpec
from studio.engines.export3d.spec import SPEC as EXPORT3D
from studio.engines.instant.spec import SPEC as INSTANT
from studio.engines.nofa.spec import SPEC as NOFA
from studio.engines.pvp.spec import SPEC as PVP
from studio.engines.semantic.spec import SPEC as SEMANTIC
from studio.engines.tri2plane.spec import SPEC as TRI2PLANE

ENGINES: dict[str, EngineSpec] = {
    spec.id: spec for spec in (INSTANT, SEMANTIC, EXPORT3D, NOFA, PVP, TRI2PLANE)
}
"""Engine id to its entry, in the order they are offered."""


def engine_spec(engine: str, home: Path | None = None) -> EngineSpec:
    """The entry of an engine.

    Args:
        engine: its id.
        home: the home folder that something is to be built in, which has to have what that needs; None where
            nothing is built.

    Raises:
        Problem: there is no such engine, or something it needs is missing.
    """
    spec = ENGINES.get(engine)
    if spec is None:
        near = difflib.get_close_matches(engine, ENGINES, 1)
        known = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(ENGINES)}."
        raise Problem(f"There is no engine named {engine!r}; {known}")
    missing = None if home is None else spec.missing(home)
    if missing is not None:
        raise Problem(missing)
    return spec
