"""What a build is said to take: room counted to the byte, clocks believed, and honest where nobody knows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.build_job import Build, plan_build
from pipelines.forecast import duration, forecast_build, likely_device, size, this_machine
from pipelines.job import MADE
from pipelines.presets import PVP_DRAFT, PVP_STANDARD, TRI2PLANE_DRAFT, TRI2PLANE_STANDARD
from pipelines.pvp_settings import MaterialSettings
from pipelines.stage_costs import ClipSize, Machine, material_bytes, volume_material_bytes
from pipelines.tri2plane_settings import VolumeMaterialSettings
from studio.domain.problem import Problem
from studio.project.documents import write_document
from studio.project.store import Store

CLIP = ClipSize(480, 512, 512)
SLOW = Machine("cpu", 2, memory_free=24.0, disk_free=60.0)
CARD = replace(SLOW, device="cuda")


@pytest.fixture
def planned(tmp_path: Path):
    """Plans a build of a clip that is no film: planning and forecasting must not need one."""
    video = tmp_path / "clip.mp4"
    video.write_bytes(b"not looked into")
    subject = Store(tmp_path / "place").add("Ada")
    clip, _ = subject.add_clip(video)
    return lambda engine, preset="draft", **settings: plan_build(subject, clip, engine, preset, settings)


def make(build: Build, *stages: str) -> None:
    for step in build.plan.steps:
        if step.id in stages:
            folder = build.clip.path.parents[1] / step.output
            folder.mkdir(parents=True)
            write_document(folder / "made.json", MADE, {"key": step.key})


def test_training_minutes_are_the_clock_of_the_preset(planned) -> None:
    for preset, values, machine in (("draft", PVP_DRAFT, SLOW), ("standard", PVP_STANDARD, CARD)):
        loops = (
            values["prior"].painter.loop,
            values["pvp"].tune.loop,
            values["pvp"].mapper.loop,
        )
        clock = sum(loop.minutes for loop in loops)
        found = forecast_build(planned("pvp", preset), CLIP, machine)
        assert clock < found.minutes[1] < clock + 6
        assert found.certainty == "clock"
        assert "nearly sure" in found.trust
        assert not found.warnings


def test_fitting_a_network_to_a_picture_ends_by_the_clock_or_is_left_out(planned, tmp_path) -> None:
    from pipelines.recipes import settings_for
    from tests.engines.nofa.shelved_nofa import shelve

    shelve(tmp_path / "place")
    draft, standard, best = (
        forecast_build(planned("nofa", preset), CLIP, SLOW).minutes
        for preset in ("draft", "standard", "best")
    )
    for minutes, fitted in ((standard, 1.0), (best, 5.0)):
        assert minutes[0] - draft[0] == pytest.approx(fitted, abs=0.05)
        assert fitted <= minutes[1] - draft[1] < fitted + 0.3
    found = forecast_build(planned("nofa", "standard"), CLIP, SLOW)
    assert found.certainty == "clock"
    assert not found.warnings  # one picture is not seen too seldom
    chosen = settings_for("nofa", "standard")["nofa"]
    endless = replace(chosen, tune=replace(chosen.tune, loop=replace(chosen.tune.loop, minutes=0.0)))
    assert forecast_build(planned("nofa", "standard", nofa=endless), CLIP, SLOW).certainty == "guess"


def test_the_material_is_counted_to_the_byte(planned) -> None:
    settings = MaterialSettings(resolution=128, guides=4, recombined=160)
    shapes = [(480, 128, 128, 3), (4, 480, 128, 128, 3), *[(480, 128, 128)] * 3, *[(160, 128, 128, 3)] * 2]
    assert material_bytes(settings, 480) == sum(int(np.prod(shape)) for shape in shapes)
    disks = {
        preset: forecast_build(planned("pvp", preset), ClipSize(720, 512, 512), CARD).disk
        for preset in ("draft", "standard", "full")
    }
    assert 0.1 < disks["draft"] < 0.5
    assert 2.5 < disks["standard"] < 5.0, "some 3 GB a clip at 512²"
    assert 8.0 < disks["full"] < 14.0, "some 10 GB at 1024²"


def test_a_volume_takes_the_minutes_of_its_clock_and_fits_its_machine(planned) -> None:
    for preset, values, machine in (("draft", TRI2PLANE_DRAFT, SLOW), ("standard", TRI2PLANE_STANDARD, CARD)):
        clock = values["tri2plane"].loop.minutes
        found = forecast_build(planned("tri2plane", preset), CLIP, machine)
        assert clock < found.minutes[1] < clock + 6
        assert found.certainty == "clock"
        assert not found.warnings
    draft = forecast_build(planned("tri2plane", "draft"), CLIP, SLOW)
    assert draft.memory == pytest.approx(1.7, abs=0.25), "as it was measured"
    assert 0.1 < draft.disk < 0.6
    standard = forecast_build(planned("tri2plane", "standard"), CLIP, CARD)
    assert 8.0 < standard.memory < 40.0
    assert 2.0 < standard.disk < 8.0
    slow = forecast_build(planned("tri2plane", "standard"), CLIP, SLOW)
    assert any("graphics card" in warning for warning in slow.warnings)


def test_a_volume_that_ends_by_steps_takes_days(planned) -> None:
    found = forecast_build(planned("tri2plane", "full"), CLIP, CARD)
    assert found.certainty == "guess"
    assert "days" in found.sentence
    assert any("longer than a day" in warning for warning in found.warnings)
    narrow = planned("tri2plane", "full", volume_material=VolumeMaterialSettings(512, margin=0.0))
    assert forecast_build(narrow, CLIP, CARD).disk < found.disk - 1.0


def test_rays_that_do_not_fit_the_pictures_are_refused_when_it_is_planned(planned) -> None:
    with pytest.raises(Problem, match=r"512 pixels wide.*128 pixels wide"):
        planned("tri2plane", "full", volume_material=VolumeMaterialSettings(resolution=128))


def test_the_material_of_volumes_is_counted_to_the_byte() -> None:
    settings = VolumeMaterialSettings(resolution=128, margin=0.22, map_size=64)
    pixels, maps = 464 * 184**2, 464 * 64**2
    assert volume_material_bytes(settings, 464) == pixels * (3 + 1 + 1 + 3) + maps * (6 + 3) * 2


def test_what_is_made_already_costs_nothing(planned) -> None:
    build = planned("pvp", "standard")
    whole = forecast_build(build, CLIP, CARD)
    make(build, "track", "pivots", "instant", "material")
    rest = forecast_build(build, CLIP, CARD)
    assert rest.disk < whole.disk - 2.0
    assert rest.minutes[1] < whole.minutes[1]
    make(build, "prior", "pvp")
    done = forecast_build(build, CLIP, CARD)
    assert (done.minutes, done.disk, done.sentence) == ((0.0, 0.0), 0.0, "This avatar is already there.")


def test_a_preset_that_ends_by_steps_is_called_a_guess_and_too_much_for_a_processor(planned) -> None:
    card = forecast_build(planned("pvp", "full"), CLIP, CARD)
    assert card.certainty == "guess"
    assert "guess" in card.trust
    assert "hours" in card.sentence
    slow = forecast_build(planned("pvp", "full"), CLIP, SLOW)
    assert slow.minutes[0] > 10 * card.minutes[0]
    assert any("longer than a day" in warning for warning in slow.warnings)


def test_what_will_not_go_well_is_said(planned) -> None:
    standard = planned("pvp", "standard")
    assert any("graphics card" in w for w in forecast_build(standard, CLIP, SLOW).warnings)
    assert any(
        "make room" in w for w in forecast_build(standard, CLIP, replace(CARD, disk_free=1.0)).warnings
    )
    little = forecast_build(standard, CLIP, replace(SLOW, memory_free=2.0))
    assert any("2.0 GB are free" in w for w in little.warnings)
    assert not forecast_build(planned("instant"), CLIP, SLOW).warnings


def test_more_film_more_pixels_and_fewer_cores_take_longer(planned) -> None:
    build = planned("instant", "standard")
    some = forecast_build(build, CLIP, SLOW).minutes
    assert forecast_build(build, replace(CLIP, frames=1800), SLOW).minutes > some
    assert forecast_build(build, ClipSize(480, 1920, 1080), SLOW).minutes > some
    assert forecast_build(build, CLIP, replace(SLOW, cores=8)).minutes < some
    assert forecast_build(build, CLIP, SLOW).certainty == "measured"


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        ((0.1, 0.9), "less than a minute"),
        ((0.6, 1.4), "about 1 min"),
        ((7.7, 9.6), "8 to 10 min"),
        ((70.0, 130.0), "1 to 2 hours"),
        ((300.0, 301.0), "about 5 hours"),
        ((6000.0, 30000.0), "4 to 21 days"),
    ],
)
def test_minutes_in_words(minutes: tuple[float, float], words: str) -> None:
    assert duration(minutes) == words


def test_sizes_in_words() -> None:
    assert [size(g) for g in (0.0002, 0.028, 0.3, 1.74, 9.96)] == [
        "1 MB",
        "28 MB",
        "0.3 GB",
        "1.7 GB",
        "10 GB",
    ]


def test_the_device_is_guessed_without_torch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/nvidia-smi")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert likely_device() == "cuda"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert likely_device() == "cpu"
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert likely_device() == "mps"
    machine = this_machine(tmp_path / "not" / "there")
    assert machine.cores >= 1
    assert machine.disk_free > 0
