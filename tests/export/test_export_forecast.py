"""Forecasts: more frames and pixels take longer, and what was measured here counts more than tables."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from pipelines.export_forecast import forecast_export
from pipelines.export_job import Export, ExportJobSettings, ExportReceipt
from pipelines.export_settings import ExportSettings
from pipelines.job import JobStatus
from studio.media import CODECS

RATE = Fraction(25)
PLAIN = ExportSettings(sound=False)


def made(seconds=20.0, frames=100, settings=PLAIN, engine="instant"):
    receipt = ExportReceipt(frames, RATE, seconds, 10**6, ())
    asked = ExportJobSettings(settings, Path("film.mp4"), 0.0, "name")
    return Export(Path("job"), "Ann", engine, asked, JobStatus("finished"), False, receipt)


def test_nothing_is_promised_before_anything_was_measured():
    done = forecast_export(50, RATE, PLAIN)
    assert (done.frames, done.length, done.seconds) == (50, 2.0, None)
    assert done.size_bytes > 0


def test_time_grows_with_frames_and_pixels():
    def seconds(frames=1000, **changes):
        found = forecast_export(frames, RATE, replace(PLAIN, **changes), (20.0, 512 * 512)).seconds
        assert found is not None
        return found

    assert seconds(2000) > 1.8 * seconds() - 5
    assert seconds(size=256) < seconds() < seconds(size=1024) < 5 * seconds()
    assert seconds(codec="vp9") > seconds()
    assert seconds(codec="vp9", alpha="straight") > seconds(codec="vp9") + 10
    assert seconds() >= 1000 * 0.02


def test_the_last_export_of_the_same_kind_is_the_best_witness():
    others = [made(500.0, engine="pvp"), made(300.0, settings=replace(PLAIN, codec="hevc"))]
    without = forecast_export(100, RATE, PLAIN, (20.0, 512 * 512)).seconds
    assert forecast_export(100, RATE, PLAIN, (20.0, 512 * 512), others, "instant").seconds == without
    told = forecast_export(100, RATE, PLAIN, (20.0, 512 * 512), [made(10.0), made(40.0), *others], "instant")
    assert told.seconds == pytest.approx(40.0, abs=5)
    twice = forecast_export(200, RATE, PLAIN, None, [made(40.0)], "instant")
    assert twice.seconds == pytest.approx(80.0, abs=5)


def test_size_follows_codec_quality_and_length():
    def octets(frames=100, **changes):
        return forecast_export(frames, RATE, replace(PLAIN, **changes)).size_bytes

    assert octets(200) == 2 * octets()
    assert octets(size=1024) == 4 * octets()
    assert octets(codec="hevc") < octets() < octets(codec="prores") < octets(codec="png")
    for codec in CODECS:
        assert octets(codec=codec, quality="small") < octets(codec=codec, quality="best")
    assert octets(sound=True) == octets() + 4 * 192 * 125
