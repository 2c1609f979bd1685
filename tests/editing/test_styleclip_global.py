"""Global directions: β is honoured, the words' score follows the strength, and what can go wrong is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from studio.domain.edits import Edit, StyleShift
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted, silent
from studio.editing.edited_pictures import draw_edited
from studio.editing.method import Workplace
from studio.editing.styleclip_beta import COUNTS, direction
from studio.editing.styleclip_global import colour_channels, find_direction
from studio.editing.styleclip_methods import GLOBAL, SPECS
from studio.editing.styleclip_result import begin, name_of
from studio.editing.styleclip_wishes import GlobalWish, MapperWish, OptimiseWish
from tests.editing.generated_person import GeneratedPerson
from tests.editing.tiny_clip import workplace_with_clip

WISH = GlobalWish("with round eyeglasses", samples=16, probes=6, deviation_samples=256)


@pytest.fixture(scope="module")
def person() -> GeneratedPerson:
    return GeneratedPerson()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    folder = tmp_path_factory.mktemp("home")
    return workplace_with_clip(folder, folder / "cache")


@pytest.fixture(scope="module")
def edit(person, place) -> Edit:
    return find_direction(person, WISH, place)


def channels_of(edit: Edit) -> np.ndarray:
    assert isinstance(edit.effect, StyleShift)
    return edit.effect.channels


def seen(person: GeneratedPerson, place: Workplace, edit: Edit, strengths: list[float]) -> list[float]:
    """Mean component of CLIP's embedding along the words, in pictures that took no part in finding them."""
    begun = begin(person, WISH, place)
    samples = person.sample(40, 4321)
    with torch.no_grad():
        embedded = [begun.clip.pictures(draw_edited(person, edit.effect, samples, s)) for s in strengths]
        return [float((one @ begun.meaning.change).mean()) for one in embedded]


def test_it_moves_its_own_score_and_more_with_more_strength(person, place, edit):
    scores = seen(person, place, edit, [-3.0, -1.5, 0.0, 1.5, 3.0])
    assert scores == sorted(scores)
    assert scores[4] - scores[2] > 0.01
    assert edit.found["score"]["change"][1] > edit.found["score"]["change"][0]
    assert (edit.method, edit.space, edit.strength, edit.title) == (
        "styleclip-global",
        "style",
        3.0,
        "with round eyeglasses",
    )
    assert edit.name == "with_round_eyeglasses"


def test_strength_zero_changes_no_bit(person, edit):
    samples = person.usual(3)
    with torch.no_grad():
        plain = person.draw(samples.ws, samples.moments)
        assert torch.equal(draw_edited(person, edit.effect, samples, 0.0), plain)
        assert not torch.equal(draw_edited(person, edit.effect, samples, 1.0), plain)


def test_the_direction_in_closed_form():
    relevance = torch.tensor([0.1, -0.4, 0.2, 0.05, -0.15])
    deviation = torch.tensor([1.0, 2.0, 3.0, 4.0, 0.0])
    found = direction(relevance, deviation, 0.15)
    torch.testing.assert_close(found, torch.tensor([0.0, -2.0, 1.5, 0.0, 0.0]))
    assert torch.count_nonzero(direction(relevance, deviation, 0.0)) == 4
    with pytest.raises(Problem, match=r"β = 0.500 asks: choose a β below 0.400"):
        direction(relevance, deviation, 0.5)
    with pytest.raises(Problem, match="say it in other words"):
        direction(torch.zeros(5), deviation, 0.1)


def test_more_beta_leaves_fewer_channels_and_the_strongest(person, place):
    kept = []
    for beta in (0.02, 0.08, 0.15):
        edit = find_direction(person, replace(WISH, auto_beta=False, beta=beta), place)
        moved = channels_of(edit)
        kept.append(set(np.flatnonzero(moved)))
        assert edit.found["channels"] == len(kept[-1])
        assert edit.found["beta"] == beta
        assert edit.found["beta_tried"] == []
    assert kept[0] > kept[1] > kept[2]
    # What is largest with few channels is largest with many: in deviations, the strongest moves by 1.
    with pytest.raises(Problem, match="choose a β below"):
        find_direction(person, replace(WISH, auto_beta=False, beta=0.99), place)


def test_the_automatic_beta_is_the_cheapest_of_those_tried(edit):
    tried = edit.found["beta_tried"]
    assert [one["channels"] for one in tried] == sorted({one["channels"] for one in tried})
    assert len(tried) >= 4
    assert {one["channels"] for one in tried} <= {*COUNTS, max(one["channels"] for one in tried)}
    compared = [one for one in tried if one["cost"] is not None]
    assert edit.found["beta"] == min(compared, key=lambda one: one["cost"])["beta"]
    assert edit.found["channels"] == next(
        one["channels"] for one in tried if one["beta"] == edit.found["beta"]
    )


def test_colours_stay_unless_asked_for(person, place, edit):
    colours = colour_channels(person).numpy()
    # conv1 and toRGB at 4, then conv0, conv1 and toRGB of each block.
    widths = np.cumsum([0, *person.style_widths])
    for layer in range(len(person.style_widths)):
        assert colours[widths[layer] : widths[layer + 1]].all() == (layer in (1, 4, 7))
    assert not channels_of(edit)[colours].any()
    wide = find_direction(person, replace(WISH, colours=True, auto_beta=False, beta=0.0), place)
    assert channels_of(wide)[colours].any()


def test_a_second_prompt_does_not_measure_the_person_again(place):
    person = GeneratedPerson()
    find_direction(person, WISH, place)
    person.drawings = 0
    find_direction(person, replace(WISH, text="a kid", auto_beta=False, beta=0.0), place)
    # Slopes for 16 samples, six typical pictures twice, and two that tell this generator from others.
    assert person.drawings == 16 + 2 * 6 + 2


def test_the_same_seed_gives_the_same_edit(person, place, tmp_path, edit):
    again = find_direction(person, WISH, replace(place, cache=tmp_path))
    np.testing.assert_array_equal(channels_of(again), channels_of(edit))
    assert again == edit
    other = find_direction(person, replace(WISH, seed=1), replace(place, cache=tmp_path))
    assert not np.array_equal(channels_of(other), channels_of(edit))


def test_progress_is_told_to_the_end_and_can_end_it(person, place, tmp_path):
    told: list[tuple[int, int | None, str]] = []
    work = replace(place, cache=tmp_path, progress=lambda *one: told.append(one))
    find_direction(person, WISH, work)
    done = [one[0] for one in told]
    assert done[0] == 0
    assert done == sorted(done)
    assert done[-1] == told[-1][1]
    assert {one[1] for one in told} == {told[0][1]}
    assert {"Measuring the person's channels", "Choosing β"} <= {one[2] for one in told}

    def stop(done: int, total: int | None, what: str) -> None:
        if done > 3:
            raise Interrupted

    with pytest.raises(Interrupted):
        find_direction(person, replace(WISH, seed=9), replace(place, cache=tmp_path, progress=stop))


@pytest.mark.parametrize("kind", [GlobalWish, OptimiseWish, MapperWish])
def test_words_are_read_before_anything_is_loaded(kind: Any, tmp_path, monkeypatch):
    spec = SPECS[(GlobalWish, OptimiseWish, MapperWish).index(kind)]
    place = Workplace(workplace_with_clip(tmp_path, tmp_path).assets, tmp_path / "c", silent)
    for text, sentence in (
        ("", "holds no words"),
        ("!!", "holds no words"),
        ("word " * 500, "more than CLIP can read"),
    ):
        with pytest.raises(Problem, match=sentence):
            spec.find(None, kind(text), place)
    with pytest.raises(Problem, match="are the same"):
        spec.find(None, kind("a face", "a face"), place)
    with pytest.raises(Problem, match="needs an avatar with a generator"):
        spec.find(None, kind("a kid"), place)
    assert not (tmp_path / "c").exists()


def test_without_a_clip_it_is_said_what_to_do(person, tmp_path):
    from studio.assets import AssetLibrary

    place = Workplace(AssetLibrary(tmp_path), tmp_path / "cache", silent)
    sentence = GLOBAL.missing(place.assets)
    assert sentence is not None
    assert "ViT-B-32.pt" in sentence
    assert str(tmp_path / "weights") in sentence
    with pytest.raises(Problem) as caught:
        find_direction(person, WISH, place)
    assert str(caught.value) == sentence


def test_the_finding_says_what_was_used_and_what_was_not(edit):
    assert edit.found["target"] == "a person with round eyeglasses"
    assert edit.found["neutral"] == "a person"
    assert edit.found["clip"]["file"] == "open_clip_model.safetensors"
    assert edit.found["clip"]["activation"] == "quick"
    assert len(edit.found["clip"]["sha256"]) == 64
    assert edit.found["settings"]["samples"] == 16
    assert edit.found["identity"] is None
    assert "cautious guess" in edit.found["notes"][-1]
    assert "model_ir_se50.pth" in edit.found["notes"][-1]
    assert edit.suggested == (-2.0, 2.0)


def test_prompts_in_other_letters_are_warned_about(person, place):
    edit = find_direction(person, replace(WISH, text="с очками"), place)
    assert "taught with English" in edit.found["notes"][0]
    assert edit.name == "words"


def test_names_are_made_of_words():
    assert name_of("With Ärger & 3 hats!") == "with_arger_3_hats"
    assert name_of("眼鏡") == "words"
    assert len(name_of("a" * 100)) == 40


def test_listing_methods_loads_no_torch():
    import subprocess
    import sys

    code = (
        "import sys, studio.editing.styleclip_methods as m\n"
        "[spec.wish_class for spec in m.SPECS]\n"
        "assert 'torch' not in sys.modules and 'open_clip' not in sys.modules"
    )
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
