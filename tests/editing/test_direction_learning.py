"""Learnt directions against generators whose attributes are known functions of their latents."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from studio.domain.edits import LatentShift
from studio.domain.problem import Problem
from studio.editing.direction_learning import Judged, Learning, learn_direction
from studio.editing.direction_response import Response, respond, visible_step
from studio.editing.scored_samples import Scores, in_usual_moments, own_score, scored
from tests.editing.small_people import LinearPerson, TinyPerson, channel, cosine

NOTHING = Scores((), lambda pictures: np.zeros((len(pictures), 0), np.float32), "")
RED, GREEN = own_score("red", channel(0)), own_score("green", channel(1))


def coloured(*, entangled: float = 0.0, spread: torch.Tensor | None = None, **more) -> LinearPerson:
    """Red is one direction of W+, green another with so much of red's."""
    chance = torch.Generator().manual_seed(5)
    colours = torch.randn(3, 4, 6, generator=chance)
    colours /= colours.flatten(1).norm(dim=1)[:, None, None]
    colours[1] -= (colours[1] * colours[0]).sum() * colours[0]
    colours[1] = entangled * colours[0] + (1 - entangled**2) ** 0.5 * colours[1] / colours[1].norm()
    return LinearPerson(colours, spread, **more)


def held_out(person, shift: LatentShift, score: Scores, strengths=(-1.0, 0.0, 1.0, 2.0)):
    """Mean values of latents that nobody learnt from, at each strength."""
    samples = person.sample(64, 77)
    rows = torch.as_tensor(shift.rows)
    return [
        float(scored(person, type(samples)(samples.ws + s * rows, samples.moments), score).mean())
        for s in strengths
    ]


def test_the_true_direction_is_found_and_one_strength_is_one_deviation() -> None:
    person = coloured()
    learnt = learn_direction(person, RED, NOTHING, Learning(samples=600))
    assert cosine(learnt.shift.rows, person.colours[0]) > 0.95
    # In this generator red's standard deviation is 1, in closed form.
    low, rest, one, two = held_out(person, learnt.shift, RED)
    assert np.isclose(one - rest, 1.0, atol=0.08)
    assert np.isclose(rest - low, one - rest, atol=1e-3)
    assert np.isclose(two - one, one - rest, atol=1e-3)
    assert learnt.found["strength_1"] == pytest.approx(1.0, abs=0.1)
    assert learnt.found["accuracy"] > 0.95
    assert learnt.suggested[0] < -1.0 < 1.0 < learnt.suggested[1]


def test_one_shift_for_all_rows_in_w() -> None:
    person = coloured(rows_differ=False)
    learnt = learn_direction(person, RED, NOTHING, Learning("w", samples=400))
    assert learnt.shift.rows.shape == (1, 6)
    assert cosine(learnt.shift.rows, person.colours[0].sum(0)) > 0.97


def test_only_rows_that_were_asked_for_move() -> None:
    person = coloured()
    person.colours = torch.nn.functional.pad(person.colours, (0, 0, 0, 6))
    person.num_ws = 10
    learnt = learn_direction(person, RED, NOTHING, Learning(rows="coarse", samples=400))
    assert learnt.shift.rows.shape == (10, 6)
    assert not learnt.shift.rows[4:].any()
    with pytest.raises(Problem, match="do not tell it"):
        learn_direction(person, RED, NOTHING, Learning(rows="fine", samples=400))


def test_numbers_of_other_scales_are_learnt_as_well() -> None:
    """What varies more in latents moves more; what red is made of stays the same."""
    spread = torch.tensor([0.1, 1.0, 3.0, 0.3, 1.0, 10.0])
    person = coloured(spread=spread)
    learnt = learn_direction(person, RED, NOTHING, Learning(samples=600))
    # In standardised numbers the true normal is colour times deviation.
    standard = person.colours[0] * spread
    assert cosine(learnt.shift.rows / spread.numpy(), standard) > 0.95


def test_what_is_projected_out_moves_by_less_than_a_tenth_of_what_it_did() -> None:
    person = coloured(entangled=0.7)
    plain = learn_direction(person, RED, NOTHING, Learning(samples=600))
    clean = learn_direction(person, RED, GREEN, Learning(samples=600))

    def moved(shift: LatentShift) -> tuple[float, float]:
        red, green = (held_out(person, shift, score, (0.0, 1.0)) for score in (RED, GREEN))
        return red[1] - red[0], green[1] - green[0]

    red, green = moved(plain.shift)
    assert green / red == pytest.approx(0.7, abs=0.1)
    red, left = moved(clean.shift)
    assert red == pytest.approx(1.0, abs=0.1)
    assert abs(left) < 0.1 * green
    # The figures say just that.
    assert clean.found["kept"] == ["green"]
    # Shares of the clip's range, 3.29 deviations of a normal distribution.
    before, after = clean.found["moves"]["green"]
    assert before == pytest.approx(0.7 / 3.29, abs=0.03)
    assert abs(after) < 0.02
    assert clean.found["moves"]["red"] == pytest.approx([1 / 3.29] * 2, abs=0.03)


def test_other_edits_are_projected_out_by_their_own_direction() -> None:
    person = coloured(entangled=0.7)
    green = learn_direction(person, GREEN, NOTHING, Learning(samples=600))
    red = learn_direction(person, RED, NOTHING, Learning(samples=600), [("green", green.shift)])
    assert abs(cosine(red.shift.rows, green.shift.rows)) < 0.01
    assert red.found["kept"] == ["green"]
    with pytest.raises(Problem, match="Nothing is left"):
        learn_direction(person, GREEN, NOTHING, Learning(samples=600), [("green", green.shift)])


def test_what_need_not_stay_at_any_price_moves_where_it_is_the_same() -> None:
    """Red again under another name is what is wanted; a green that has much of red can be taken away."""
    again = own_score("again", channel(0))
    person = coloured(entangled=0.7)
    kept = again.and_then(GREEN)
    learnt = learn_direction(person, RED, kept, Learning(samples=400), if_possible=("again", "green"))
    assert learnt.found["kept"] == ["green"]
    assert learnt.found["inseparable"] == ["again"]
    assert abs(learnt.found["moves"]["green"][1]) < 0.03
    with pytest.raises(Problem, match="Nothing is left"):
        learn_direction(person, RED, kept, Learning(samples=400), if_possible=("green",))


def test_what_latents_do_not_move_is_not_projected_out() -> None:
    noise = np.random.default_rng(0)
    noisy = own_score("noise", lambda pictures: noise.normal(size=len(pictures)))
    learnt = learn_direction(coloured(), RED, noisy, Learning(samples=300))
    assert learnt.found["kept"] == []


def test_random_values_are_refused_by_name_of_the_test() -> None:
    noise = np.random.default_rng(0)
    score = own_score("noise", lambda pictures: noise.normal(size=len(pictures)))
    with pytest.raises(Problem, match=r"random labels reach with probability .*Fisher's exact"):
        learn_direction(coloured(), score, NOTHING, Learning(samples=300))


def test_what_never_varies_is_refused() -> None:
    score = own_score("still", lambda pictures: np.ones(len(pictures)))
    with pytest.raises(Problem, match="“still” is the same in every picture"):
        learn_direction(coloured(), score, NOTHING, Learning(samples=60))


@pytest.mark.parametrize(("guide", "advice"), [(0.0, "take more samples"), (100.0, "drawn by warping")])
def test_samples_that_only_seemed_to_tell(guide, advice) -> None:
    """What is learnt from shows red, what the direction is tried on shows anything."""
    person = coloured(guide=guide * torch.randn(6, 3, generator=torch.Generator().manual_seed(3)))
    noise = np.random.default_rng(0)

    def score(pictures: torch.Tensor) -> np.ndarray:
        return channel(0)(pictures) if person.pictures <= 300 else noise.normal(size=len(pictures))

    with pytest.raises(Problem, match=rf"does not change “red” of this avatar.* % is the latents.*{advice}"):
        learn_direction(person, own_score("red", score), NOTHING, Learning(samples=300))


def test_what_only_the_guide_shows_is_no_direction() -> None:
    """Latents go along with the moment in which they were filmed; drawn elsewhere they make no difference."""
    person = coloured(guide=torch.randn(6, 3, generator=torch.Generator().manual_seed(3)))
    person.colours[0] = 0.0
    plain = person.sample

    def sample(count: int, seed: int):
        found = plain(count, seed)
        found.ws[:, 0, 0] += 2.0 * person.guide[found.moments, 0]
        return found

    person.sample = sample  # type: ignore[method-assign]
    filmed = scored(person, person.sample(300, 0), RED).ravel()
    assert abs(np.corrcoef(filmed, person.sample(300, 0).ws[:, 0, 0])[0, 1]) > 0.5
    with pytest.raises(Problem, match=r"same in every picture|do not tell it"):
        learn_direction(person, RED, NOTHING, Learning(samples=300))


def test_a_guides_own_colours_do_not_disturb() -> None:
    """And strength 1 goes for what the clip shows, as far as latents can be followed, and says how far."""
    guide = 100.0 * torch.randn(6, 3, generator=torch.Generator().manual_seed(3))
    person = coloured(guide=guide)
    learnt = learn_direction(person, RED, NOTHING, Learning(samples=600))
    assert cosine(learnt.shift.rows, person.colours[0]) > 0.95
    rest, one = held_out(person, learnt.shift, RED, (0.0, 1.0))
    assert one - rest == pytest.approx(16.0, rel=0.1)
    assert learnt.suggested == (-1.0, 1.0)
    usual = float((guide[:, 0].var(correction=0) + 1.0) ** 0.5)
    assert learnt.found["share_of_clip"] == pytest.approx((one - rest) / usual, rel=0.1)
    assert "move it little" in learnt.found["note"]


def test_thumbs() -> None:
    person = coloured()
    judged = person.sample(120, 9).ws
    liked = torch.einsum("brw,rw->b", judged, person.colours[0]).numpy() > 0
    learnt = learn_direction(person, Judged(judged, liked), GREEN, Learning(samples=100))
    low, rest, one, _ = held_out(person, learnt.shift, RED)
    assert low < rest - 0.5 < one - 0.5 - 0.5
    assert learnt.suggested == (-1.0, 1.0)
    thoughtless = np.random.default_rng(1).permutation(liked)
    with pytest.raises(Problem, match="judge more pictures"):
        learn_direction(person, Judged(judged, thoughtless), NOTHING, Learning(samples=100))


@pytest.mark.parametrize("space", ["w", "w+"])
def test_a_real_network_moves_the_right_way_on_held_out_latents(space) -> None:
    """With a StyleGAN2, where brightness is no linear function: monotone over the suggested range."""
    person = TinyPerson(3)
    person.rows_differ = space == "w+"
    bright = own_score("bright", lambda pictures: pictures.mean((1, 2, 3)).numpy())
    learnt = learn_direction(person, bright, NOTHING, Learning(space, samples=300))
    low, high = learnt.suggested
    assert low < 0.0 < high
    values = held_out(person, learnt.shift, bright, np.linspace(low, high, 7))
    assert (np.diff(values) > 0.0).all()
    assert np.isclose(
        np.interp(1.0, np.linspace(low, high, 7), values) - np.interp(0.0, np.linspace(low, high, 7), values),
        learnt.found["strength_1"],
        rtol=0.35,
    )


def test_the_same_seed_learns_the_same_direction(tmp_path) -> None:
    one, other = (
        learn_direction(coloured(), RED, GREEN, Learning(samples=120), cache=folder)
        for folder in (None, tmp_path)
    )
    assert np.array_equal(one.shift.rows, other.shift.rows)
    assert one.found == other.found


def response(values, steps=(-4.0, -2.0, -1.0, 1.0, 2.0, 4.0)) -> Response:
    return Response(steps, np.array(values, np.float64)[:, None, None].repeat(4, 1))


def test_how_far_a_direction_can_be_followed() -> None:
    assert response([-4, -2, -1, 1, 2, 4]).followed(0, {}) == (-4.0, 4.0)
    assert response([-1.0, -1.05, -1, 1, 2, 2.1]).followed(0, {}) == (-1.0, 2.0)
    assert response([3, 2, 1, 1, 2, 4]).followed(0, {}) == (0.0, 4.0)
    lost = response([-4, -2, -1, 1, 2, 4])
    lost.change[5, 0] = np.nan
    assert lost.followed(0, {}) == (-4.0, 2.0)
    both = Response(lost.steps, np.stack([lost.change[..., 0], 0.1 * lost.change[..., 0]], 2))
    both.change[5] = 4.0, 0.4
    assert both.followed(0, {1: 0.3}) == (-2.0, 2.0)
    assert both.followed(0, {1: 1.0}) == (-4.0, 4.0)


def test_steps_for_a_change() -> None:
    found = response([-4, -2, -1, 1, 2, 6])
    assert found.steps_for(0, 1.5, 4.0) == (1.5, 1.5)
    assert found.steps_for(0, 4.0, 4.0) == (3.0, 4.0)
    assert found.steps_for(0, 0.25, 4.0) == (0.25, 0.25)
    assert found.steps_for(0, 4.0, 2.0) == (2.0, 2.0)
    assert found.steps_for(0, 99.0, 4.0) == (4.0, 6.0)


def test_a_rise_by_chance() -> None:
    change = np.random.default_rng(1).normal(size=(2, 12, 1))
    assert Response((-1.0, 1.0), change).chance(0) > 0.05
    assert Response((-1.0, 1.0), change + np.array([-3.0, 3.0])[:, None, None]).chance(0) < 1e-4
    assert Response((-1.0, 1.0), change[:, :2]).chance(0) == 1.0


def test_responses_are_differences_to_the_same_latents_unmoved() -> None:
    person = coloured()
    bases = in_usual_moments(person, person.sample(5, 0))
    shift = LatentShift(person.colours[0].numpy())
    found = respond(person, shift, bases, RED, (-1.0, 1.0, 2.0))
    assert np.allclose(found.change[..., 0], np.array([-1, 1, 2])[:, None], atol=1e-4)
    assert np.allclose(found.slope(0), 1.0, atol=1e-4)


def test_visible_step_is_as_large_as_what_samples_differ_by() -> None:
    person = coloured()
    person.colours[1:] = 0.0
    samples = in_usual_moments(person, person.sample(400, 0))
    grey = scored(person, samples, RED).ravel()
    usual = np.abs(grey[:200] - grey[200:]).mean()
    shift = LatentShift(0.25 * person.colours[0].numpy())
    step, reached = visible_step(person, shift, samples)
    assert reached == 1.0
    assert step * 0.25 == pytest.approx(usual, rel=0.02)
    # Of a person whose samples hardly differ, as large as can be seen.
    person.spread = torch.full((6,), 0.01)
    step, reached = visible_step(person, shift, person.sample(400, 0))
    assert reached == 1.0
    assert step * 0.25 == pytest.approx(3.0 * 0.02, rel=0.02)
    aside = LatentShift(np.where(person.colours[0].numpy() == 0, 1, 0).astype(np.float32) + 1e-9)
    person.colours[0] = 0.0
    assert visible_step(person, aside, samples) == (
        pytest.approx(visible_step(person, aside, samples)[0]),
        0.0,
    )
