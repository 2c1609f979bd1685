"""What each engine's presets set: engine → preset → stage → settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipelines.prior_settings import InvertSettings, MapperSettings, TuneSettings
from pipelines.pvp_settings import (
    EstimatorSettings,
    MaterialSettings,
    PainterSettings,
    PriorSettings,
    PvpSettings,
)
from pipelines.training.schedule import Schedule
from studio.warping.settings import WarpSettings

_FALLING = Schedule("cosine", warmup=0.02, final=0.02)
_PAINTER, _TUNE, _MAPPER = PainterSettings(), TuneSettings(), MapperSettings()
# A constant rate leaves the weights trembling, and on a restless clip that costs more than tuning gains.
_TUNE_LOOP = replace(_TUNE.loop, batch=4, schedule=_FALLING, average_decay=0.99)

PVP_DRAFT: Mapping[str, Any] = {
    "material": MaterialSettings(resolution=128),
    "prior": PriorSettings(
        painter=replace(
            _PAINTER,
            channel_base=2048,
            channel_max=96,
            loop=replace(_PAINTER.loop, minutes=3.0),
        ),
        invert=InvertSettings(w_steps=200, neighbour_w_steps=40, plus_steps=60, neighbour_plus_steps=20),
    ),
    "pvp": PvpSettings(
        # Without LPIPS half of the pivots begin below the paper's 0.03, and tuning them still helps.
        tune=replace(
            _TUNE,
            threshold=0.015,
            steps_per_image=40,
            loop=replace(_TUNE_LOOP, minutes=2.0, validate_seconds=12.0),
        ),
        estimator=EstimatorSettings(steps=500),
        mapper=replace(
            _MAPPER,
            reach=0.0,
            loop=replace(
                _MAPPER.loop,
                steps=20_000,
                minutes=1.5,
                batch=4,
                schedule=_FALLING,
                validate_steps=0,
                validate_seconds=15.0,
                clip_norm=1.0,
            ),
        ),
    ),
}
"""Two processor cores, a quarter of an hour at most."""
PVP_STANDARD: Mapping[str, Any] = {
    "material": MaterialSettings(resolution=512, guides=3),
    "prior": PriorSettings(painter=replace(_PAINTER, loop=replace(_PAINTER.loop, minutes=9.0))),
    "pvp": PvpSettings(
        tune=replace(_TUNE, loop=replace(_TUNE_LOOP, minutes=6.0, validate_seconds=30.0)),
        mapper=replace(
            _MAPPER,
            reach=0.0,
            loop=replace(
                _MAPPER.loop,
                minutes=7.0,
                batch=4,
                precision="auto",
                schedule=_FALLING,
                validate_steps=0,
                validate_seconds=30.0,
                clip_norm=1.0,
            ),
        ),
    ),
}
"""One graphics card, 25 minutes at most."""
PVP_FULL: Mapping[str, Any] = {
    "material": MaterialSettings(resolution=1024, guides=2),
    "prior": PriorSettings(
        painter=replace(_PAINTER, channel_base=16384, loop=replace(_PAINTER.loop, minutes=90.0, batch=4))
    ),
    "pvp": PvpSettings(tune=_TUNE, mapper=replace(_MAPPER, reach=0.0)),
}
"""The paper's steps: hours on a graphics card."""

PRESETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "instant": {
        "draft": {
            "instant": WarpSettings(
                texture_size=384, face_blend=2, outer_blend=2, mouth_blend=2, eyes_blend=2
            )
        },
        "standard": {},
        "best": {"instant": WarpSettings(texture_size=1024)},
    },
    "pvp": {"draft": PVP_DRAFT, "standard": PVP_STANDARD, "full": PVP_FULL},
}
"""Stages that a preset does not name keep their defaults."""
