"""InterfaceGAN as a method: wishes, faces, thumbs, what must stay, and what it says."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from studio.domain.edits import Edit, EditStack, Recolour
from studio.domain.problem import Problem
from studio.editing.attributes import eight_bit, measure
from studio.editing.catalog import METHODS
from studio.editing.clip_prompts import read_words
from studio.editing.clip_words import meaning_of, open_clip_network
from studio.editing.interfacegan import InterfaceGanWish, shown_to_judge
from tests.editing.face_of import landmarks_of
from tests.editing.small_people import LinearPerson, TinyPerson, cosine, rows_of_edit, workplace
from tests.editing.tiny_clip import workplace_with_clip

SPEC = METHODS["interfacegan"]


def person_with_face() -> LinearPerson:
    """Red smiles, green turns the head, and blue is only blue; red has a part of green, as in real clips."""
    chance = torch.Generator().manual_seed(5)
    basis = torch.linalg.qr(torch.randn(32, 32, generator=chance))[0][:3].reshape(3, 4, 8)
    red = 0.6 * basis[1] + 0.8 * basis[0]
    return LinearPerson(0.22 * torch.stack([red, basis[1], basis[2]]), resolution=4)


def faces(shown: np.ndarray) -> np.ndarray:
    """Reads the face that :func:`person_with_face` means; none where blue is very dark."""
    marks = []
    for red, green, blue in shown.mean((1, 2)) / 127.5 - 1.0:
        face = landmarks_of((20.0 * green, 0.0, 0.0), smile=float(red))
        marks.append(face if blue > -0.6 else np.full_like(face, np.nan))
    return np.stack(marks)


def measured(person: LinearPerson, edit: Edit, names, strengths) -> np.ndarray:
    """``[S, A]`` means over latents that nobody learnt from."""
    samples = person.sample(40, 123)
    rows = torch.as_tensor(rows_of_edit(edit))
    return np.stack(
        [
            np.nanmean(measure(person.draw(samples.ws + s * rows, samples.moments), names, faces), 0)
            for s in strengths
        ]
    )


def test_a_smile_that_does_not_turn_the_head(tmp_path) -> None:
    person, place = person_with_face(), workplace(tmp_path, faces)
    clean = SPEC.find(person, InterfaceGanWish("smile", samples=200), place)
    plain = SPEC.find(person, InterfaceGanWish("smile", samples=200, keep_pose_and_expression=False), place)
    strengths = np.linspace(0.0, 1.0, 4)
    with_turn = measured(person, plain, ["smile", "yaw"], strengths)
    without = measured(person, clean, ["smile", "yaw"], strengths)
    for values in (with_turn, without):
        assert (np.diff(values[:, 0]) > 0).all()
    turned = [(v[-1, 1] - v[0, 1]) / (v[-1, 0] - v[0, 0]) for v in (with_turn, without)]
    assert turned[0] > 0.5
    assert abs(turned[1]) < 0.1 * turned[0]
    assert (clean.name, clean.title, clean.space) == ("smile", "Smile", "w+")
    assert clean.found["attribute"] == "smile"
    assert clean.found["unit"] == "mm"
    assert clean.found["left_out"] > 0
    assert "yaw" in clean.found["kept"]
    assert "smile" not in clean.found["kept"]
    assert plain.found["kept"] == []
    one = without[-1, 0] - without[0, 0]
    assert one == pytest.approx(clean.found["strength_1"], rel=0.2)
    json.dumps(dict(clean.found), allow_nan=False)


def test_measured_samples_serve_the_next_wish(tmp_path) -> None:
    person, place = person_with_face(), workplace(tmp_path, faces)
    SPEC.find(person, InterfaceGanWish("smile", samples=60, rows="coarse"), place)
    first = person.pictures
    SPEC.find(person, InterfaceGanWish("smile", samples=60), place)
    assert person.pictures < 2 * first - 55


def test_other_edits_and_attributes_by_name(tmp_path) -> None:
    person = person_with_face()
    turn = SPEC.find(
        person,
        InterfaceGanWish("yaw", samples=200, keep_pose_and_expression=False),
        workplace(tmp_path, faces),
    )
    hair = Edit("hair", "Hair", "colour", Recolour("hair", (10.0, 0.0, 0.0)))
    place = workplace(tmp_path, faces, EditStack((turn, hair)))
    wish = InterfaceGanWish(
        "smile", samples=200, keep_pose_and_expression=False, without=("yaw", "brightness")
    )
    by_attribute = SPEC.find(person, wish, place)
    assert "yaw" in by_attribute.found["kept"]
    with pytest.raises(Problem, match="The edit 'hair' is no direction of latents"):
        SPEC.find(person, InterfaceGanWish("smile", without=("hair",)), place)
    with pytest.raises(Problem, match="named 'smle'; did you mean 'smile'"):
        SPEC.find(person, InterfaceGanWish("brightness", without=("smle",)), place)
    named = Edit("turning", "Turning", "interfacegan", turn.effect)
    place = workplace(tmp_path, faces, EditStack((named,)))
    wish = InterfaceGanWish("smile", samples=200, keep_pose_and_expression=False, without=("turning",))
    by_edit = SPEC.find(person, wish, place)
    assert by_edit.found["kept"] == ["turning"]
    for edit in (by_attribute, by_edit):
        assert abs(cosine(rows_of_edit(edit), person.colours[1])) < 0.15


def test_thumbs_are_about_the_samples_that_are_shown(tmp_path) -> None:
    person = person_with_face()
    wish = InterfaceGanWish(judged=80, samples=60)
    shown = shown_to_judge(person, wish)
    assert len(shown) == 80
    assert set(shown.moments.tolist()) == {0}
    blue = eight_bit(person.draw(shown.ws, shown.moments))[..., 2].mean((1, 2))
    order = [int(k) for k in np.argsort(blue)]
    judged = InterfaceGanWish(likes=tuple(order[-30:]), dislikes=tuple(order[:30]), judged=80, samples=60)
    edit = SPEC.find(person, judged, workplace(tmp_path, faces))
    assert cosine(rows_of_edit(edit), person.colours[2]) > 0.6
    assert edit.found["likes"] == order[-30:]
    assert edit.suggested == (-1.0, 1.0)
    seeded = InterfaceGanWish(judged=80, seed=1)
    assert not torch.equal(shown_to_judge(person, seeded).ws, shown.ws)


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        (InterfaceGanWish(), "exactly one of an attribute"),
        (InterfaceGanWish("smile", text="happy"), "exactly one of an attribute"),
        (InterfaceGanWish("beauty"), "no attribute or edit named 'beauty'"),
        (InterfaceGanWish("brightnes"), "did you mean 'brightness'"),
        (InterfaceGanWish(likes=(1, 2, 3), dislikes=(4,)), "3 likes and 1 dislikes are too few"),
        (InterfaceGanWish(likes=tuple(range(6)), dislikes=(6, 7, 8, 9, 10, 60)), "numbered from 0 to 59"),
        (InterfaceGanWish(likes=tuple(range(6)), dislikes=tuple(range(5, 11))), "judged twice"),
        (InterfaceGanWish("brightness", rows="fine"), "none of them is fine"),
        (InterfaceGanWish("brightness", text="  ", without=("nobody",)), "named 'nobody'"),
    ],
)
def test_wishes_that_cannot_be_are_refused_in_a_sentence(wish, sentence, tmp_path) -> None:
    with pytest.raises(Problem, match=sentence) as refused:
        SPEC.find(TinyPerson(), wish, workplace(tmp_path, lambda shown: np.full((len(shown), 478, 3), 50.0)))
    assert "\n" not in str(refused.value)


def test_pictures_without_faces_are_said_with_what_to_do(tmp_path) -> None:
    nobody = workplace(tmp_path, lambda shown: np.full((len(shown), 478, 3), np.nan, np.float32))
    with pytest.raises(Problem, match="Only 0 of 50 pictures of this person could be measured"):
        SPEC.find(TinyPerson(), InterfaceGanWish("brightness", samples=50), nobody)
    wish = InterfaceGanWish("brightness", samples=300, keep_pose_and_expression=False)
    edit = SPEC.find(TinyPerson(), wish, nobody)
    assert edit.found["left_out"] == 0


def test_words_by_clip_move_their_own_score_on_latents_that_were_not_learnt_from(tmp_path) -> None:
    person = TinyPerson(3)
    place = workplace_with_clip(tmp_path, tmp_path / "cache")
    wish = InterfaceGanWish(text="with a hat", samples=400, keep_pose_and_expression=False)
    edit = SPEC.find(person, wish, place)
    assert (edit.title, edit.name) == ("with a hat", "with_a_hat")
    assert edit.found["text"] == "a person with a hat"
    assert edit.found["unit"] == "CLIP cosine"
    clip = open_clip_network(place.assets, "", "auto", person.device)
    change = meaning_of(read_words("with a hat"), clip).change
    samples, rows = person.sample(60, 123), torch.as_tensor(rows_of_edit(edit))
    values = [
        float((clip.pictures(person.draw(samples.ws + s * rows, samples.moments)) @ change).mean())
        for s in np.linspace(0.0, min(1.0, edit.suggested[1]), 4)
    ]
    assert (np.diff(values) > 0).all()
    drawn = person.pictures
    again = SPEC.find(person, wish, place)
    assert person.pictures - drawn < 200, "samples were looked at once"
    assert np.array_equal(rows_of_edit(again), rows_of_edit(edit))
    with pytest.raises(Problem, match="CLIP"):
        SPEC.find(person, wish, workplace(tmp_path / "elsewhere"))
