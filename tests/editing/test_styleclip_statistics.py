"""What is known of a person's channels agrees with moving each of them, costs little, and survives a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from studio.domain.progress import silent
from studio.editing.clip_prompts import read_words
from studio.editing.clip_words import Clip, meaning_of
from studio.editing.person import Samples
from studio.editing.styleclip_cache import alike, fingerprint, kept_folder, load_part, save_part
from studio.editing.styleclip_statistics import (
    Statistics,
    at_once,
    measure,
    measuring_steps,
    overrated,
    relevance,
    responses,
    slope_steps,
    slopes,
    statistics_settings,
)
from studio.editing.styleclip_steps import Steps
from studio.editing.styleclip_wishes import GlobalWish
from tests.editing.generated_person import GeneratedPerson
from tests.editing.tiny_clip import open_tiny_clip

WISH = GlobalWish("x", samples=20, probes=6, deviation_samples=256)
QUIET = Steps(silent, 1, "")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return open_tiny_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def person() -> GeneratedPerson:
    return GeneratedPerson()


@pytest.fixture(scope="module")
def measured(person, clip, tmp_path_factory) -> Statistics:
    return measure(person, clip, WISH, tmp_path_factory.mktemp("kept"), QUIET)


def moved(person: GeneratedPerson, clip: Clip, samples: Samples, step: torch.Tensor) -> torch.Tensor:
    """``[M, E]`` how embeddings differ between a step of the styles up and down."""
    with torch.no_grad():
        styles = person.styles(samples.ws)
        up, down = (
            clip.pictures(person.draw_styles(styles + s * step, samples.moments)) for s in (1.0, -1.0)
        )
    return up - down


def by_moving_channels(
    person: GeneratedPerson, clip: Clip, samples: Samples, deviation: torch.Tensor, alpha: float
) -> torch.Tensor:
    """The paper's way: ``[C, E]``, the direction in which the embedding goes when a channel is moved by
    ±alpha deviations; a mean over the samples of directions of length one, of length one."""
    found = []
    for channel in range(len(deviation)):
        step = torch.zeros_like(deviation)
        step[channel] = alpha * deviation[channel]
        apart = functional.normalize(moved(person, clip, samples, step), dim=1)
        found.append(functional.normalize(apart.mean(0), dim=0))
    return torch.stack(found)


def test_responses_are_slopes(person, clip):
    samples = person.sample(3, 5)
    along = functional.normalize(torch.randn(3, 2, 24, generator=torch.Generator().manual_seed(0)), dim=2)
    found = responses(person, clip, samples, along, QUIET)
    assert found.shape == (3, 2, sum(person.style_widths))
    for channel in range(0, found.shape[2], 7):
        step = torch.zeros(found.shape[2])
        step[channel] = 0.02
        slope = moved(person, clip, samples, step) / 0.04
        expected = torch.einsum("bke,be->bk", along, slope)
        torch.testing.assert_close(found[..., channel], expected, rtol=0.03, atol=2e-3)


@pytest.mark.parametrize("probes", [6, 24])
def test_relevance_agrees_with_moving_every_channel(person, clip, probes, tmp_path, record_property):
    wish = GlobalWish("x", samples=20, probes=probes, deviation_samples=256)
    statistics = measure(person, clip, wish, tmp_path, QUIET)
    reference = by_moving_channels(person, clip, statistics.samples, statistics.deviation, 3.0)
    for text in ("with round eyeglasses", "chubby"):
        change = meaning_of(read_words(text), clip).change
        along = slopes(person, clip, statistics, change, tmp_path, QUIET)
        found = relevance(statistics, along, change)
        agreement = float(np.corrcoef(found, reference @ change)[0, 1])
        # 0.90 to 0.95 with two people, three prompts, 16 and 48 samples, steps of 0.1 to 5 deviations.
        record_property(f"correlation, {probes} probes, {text}", agreement)
        print(f"correlation with ±3 deviations, {probes} of 24 probes, {text!r}: {agreement:.3f}")
        assert agreement > 0.85
        # Those that matter most move the way that the paper's would, and matter there, too.
        best, moved_ones = found.abs().topk(8).indices, reference @ change
        assert torch.equal(found[best].sign(), moved_ones[best].sign())
        assert moved_ones.abs()[best].mean() > 1.4 * moved_ones.abs().mean()


def test_relevance_is_the_mean_cosine_when_everything_is_probed(person, clip, tmp_path):
    wish = GlobalWish("x", samples=5, probes=99, deviation_samples=64)
    statistics = measure(person, clip, wish, tmp_path, QUIET)
    assert statistics.probes.shape == (5, 24, 24)
    change = meaning_of(read_words("a kid"), clip).change
    along = slopes(person, clip, statistics, change, tmp_path, QUIET)
    everything = responses(person, clip, statistics.samples, torch.eye(24).expand(5, -1, -1), QUIET)
    cosine = torch.einsum("mec,e->mc", everything, change) / everything.norm(dim=1)
    torch.testing.assert_close(relevance(statistics, along, change), cosine.mean(0), rtol=0, atol=1e-3)


def test_lengths_from_few_probes_are_unbiased():
    assert overrated(24, 24) == pytest.approx(1.0)
    chance = torch.Generator().manual_seed(0)
    vectors = functional.normalize(torch.randn(40_000, 32, generator=chance), dim=1)
    for probes in (3, 8, 31):
        inverse = (vectors[:, :probes].square().sum(1) * 32 / probes).rsqrt().mean()
        assert overrated(probes, 32) == pytest.approx(float(inverse), rel=0.01)


def test_probes_are_orthonormal_and_another_for_every_picture(measured):
    probes = measured.probes
    torch.testing.assert_close(probes @ probes.mT, torch.eye(6).expand(20, -1, -1), rtol=0, atol=1e-5)
    assert (probes[0] - probes[1]).abs().max() > 0.1


def test_deviations_are_those_of_the_persons_styles(person, measured):
    styles = person.styles(person.sample(256, WISH.seed + 1).ws)
    torch.testing.assert_close(measured.mean, styles.mean(0), rtol=0, atol=1e-5)
    torch.testing.assert_close(measured.deviation, styles.std(0, unbiased=False), rtol=0, atol=1e-5)


def test_channels_that_are_not_drawn_have_no_relevance(clip, tmp_path):
    person = GeneratedPerson(3, resolution=32, drawn=16)
    wish = GlobalWish("x", samples=4, probes=4, deviation_samples=64)
    statistics = measure(person, clip, wish, tmp_path, QUIET)
    change = meaning_of(read_words("a kid"), clip).change
    found = relevance(statistics, slopes(person, clip, statistics, change, tmp_path, QUIET), change)
    drawn = sum(person.style_widths[:-3])
    assert torch.isfinite(found).all()
    assert (found[:drawn] != 0).float().mean() > 0.95
    assert not found[drawn:].any()
    assert statistics.deviation[drawn:].any()  # it is not that they stand still


def test_it_costs_a_pass_for_each_probe_and_picture(clip, tmp_path):
    person, told = GeneratedPerson(), []
    total = measuring_steps(person, clip, WISH) + slope_steps(person, WISH)
    steps = Steps(lambda done, total, what: told.append((done, total)), total, "x")
    statistics = measure(person, clip, WISH, tmp_path, steps)
    assert person.drawings == WISH.samples  # the paper: twice the channels times that
    change = meaning_of(read_words("a kid"), clip).change
    slopes(person, clip, statistics, change, tmp_path, steps)
    assert person.drawings == 2 * WISH.samples
    assert told[-1] == (total, total)
    assert len(told) == total + 1
    again = measure(person, clip, WISH, tmp_path, QUIET)
    slopes(person, clip, again, change, tmp_path, QUIET)
    assert person.drawings == 2 * WISH.samples
    assert torch.equal(again.responses, statistics.responses)


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from studio.editing.styleclip_statistics import measure
from studio.editing.styleclip_steps import Steps
from studio.editing.clip_words import Clip
from studio.networks.foreign.clip import load_clip
from tests.editing.generated_person import GeneratedPerson
from tests.editing.test_styleclip_statistics import WISH

def told(done, total, what):
    if done == 11:
        os.kill(os.getpid(), signal.SIGKILL)

clip = Clip(*load_clip(Path(sys.argv[1])), torch.device("cpu"))
measure(GeneratedPerson(), clip, WISH, Path(sys.argv[2]), Steps(told, 100, "x"))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_killed_statistics_go_on_to_the_same_numbers(clip, measured, tmp_path, tmp_path_factory):
    weights = next(tmp_path_factory.getbasetemp().glob("clip*/open_clip_model.safetensors"))
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", KILLED, str(weights), str(tmp_path)]
    ended = subprocess.run(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, check=False)
    assert ended.returncode == -signal.SIGKILL
    # Killed in the second of three shards: the first one is there, whole.
    there = sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("responses"))
    assert there == ["responses-00000"]
    person = GeneratedPerson()
    found = measure(person, clip, WISH, tmp_path, QUIET)
    assert person.drawings == WISH.samples - at_once(person)
    torch.testing.assert_close(found.responses, measured.responses, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found.deviation, measured.deviation)


def test_a_damaged_shard_is_measured_again(person, clip, measured, tmp_path):
    measure(person, clip, WISH, tmp_path, QUIET)
    file = tmp_path / "responses-00008" / "tensors.safetensors"
    file.write_bytes(bytes(file.stat().st_size))
    again = measure(person, clip, WISH, tmp_path, QUIET)
    torch.testing.assert_close(again.responses, measured.responses, rtol=1e-4, atol=1e-6)


def test_what_was_measured_of_another_generator_is_not_used(person, clip, tmp_path):
    settings = statistics_settings(WISH)
    folder = kept_folder(tmp_path, "statistics", person, clip, settings)
    save_part(folder / "mark", {"x": torch.ones(2)}, {"note": 1})
    assert kept_folder(tmp_path, "statistics", GeneratedPerson(), clip, settings) == folder
    kept = load_part(folder / "mark")
    assert kept is not None
    assert kept[1] == {"note": 1}
    assert kept_folder(tmp_path, "statistics", person, clip, {**settings, "seed": 1}) != folder
    changed = GeneratedPerson()
    changed.network.block(16).torgb.weight.mul_(1.05)
    assert kept_folder(tmp_path, "statistics", changed, clip, settings) == folder
    assert load_part(folder / "mark") is None


def test_fingerprints_tell_generators_apart(person):
    now = fingerprint(person)
    assert alike(now, fingerprint(GeneratedPerson()))
    assert alike(now, {name: value * (1 + 1e-4) for name, value in now.items()})  # another device's rounding
    assert not alike(now, fingerprint(GeneratedPerson(1)))
    assert not alike(now, fingerprint(GeneratedPerson(0, resolution=32)))
