from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from studio.domain.problem import Problem
from studio.head.topology import topology
from studio.tracking.following import Followed, follow
from studio.tracking.sighting import Sighting, Sightings

WIDTH, HEIGHT = 640, 360
PALE, DARK = (190, 135, 140), (110, 145, 160)


def clip(frames: list[list[Sighting]], cuts: tuple[int, ...] = ()) -> Sightings:
    return Sightings(frames, [0.5 if number in cuts else 0.01 for number in range(len(frames))])


def run(frames: list[list[Sighting]], person: str = "auto", cuts: tuple[int, ...] = ()) -> Followed:
    return follow(clip(frames, cuts), WIDTH, HEIGHT, 30.0, topology().positions, person)


def places(followed: Followed) -> np.ndarray:
    return np.array([np.nan if face is None else face.centre[0] for face in followed.faces])


def test_the_larger_and_more_central_of_two(make_actor: Any) -> None:
    near, far = make_actor(1, skin=PALE), make_actor(2, 0.85, DARK)
    # The order in a frame says nothing.
    frames = [[near.at(300, 180, 140), far.at(520, 120, 70)][:: 1 - 2 * (n % 2)] for n in range(40)]
    followed = run(frames)
    np.testing.assert_allclose(places(followed), 300, atol=3)
    assert followed.people == 2
    assert not followed.jumped.any()


def test_people_are_numbered_from_left_to_right(make_actor: Any) -> None:
    left, right = make_actor(1, skin=PALE), make_actor(2, 0.85, DARK)
    frames = [[right.at(480, 180, 150), left.at(150, 180, 90)] for _ in range(30)]
    np.testing.assert_allclose(places(run(frames, "0")), 150, atol=3)
    np.testing.assert_allclose(places(run(frames, "1")), 480, atol=3)
    with pytest.raises(Problem, match=r"2 people.*0 to 1"):
        run(frames, "2")
    with pytest.raises(Problem, match="no person 'me'"):
        run(frames, "me")


def test_a_short_visit_does_not_win_by_size(make_actor: Any) -> None:
    host, guest = make_actor(1, skin=PALE), make_actor(2, 0.85, DARK)
    frames = [
        [host.at(250, 180, 90)] + ([guest.at(450, 180, 180)] if 20 <= n < 28 else []) for n in range(90)
    ]
    np.testing.assert_allclose(places(run(frames)), 250, atol=3)


def test_two_who_swap_places_at_a_cut_are_not_mixed(make_actor: Any) -> None:
    one, two = make_actor(1, skin=PALE), make_actor(2, 0.85, DARK)
    frames = [
        [one.at(200 if n < 25 else 440, 180, 120), two.at(440 if n < 25 else 200, 180, 100)]
        for n in range(50)
    ]
    followed = run(frames)
    np.testing.assert_allclose(places(followed), [200] * 25 + [440] * 25, atol=3)
    assert followed.jumped[25]
    assert followed.broken[25]
    assert not followed.jumped[:25].any()
    assert not followed.jumped[28:].any()


def test_two_who_walk_past_each_other_are_not_mixed(make_actor: Any) -> None:
    one, two = make_actor(1, skin=PALE), make_actor(2, 0.85, DARK)
    frames = []
    for n in range(61):
        front = one.at(170 + 5 * n, 180, 120)
        behind = two.at(470 - 5 * n, 170, 110)
        # While they overlap only the one in front is seen.
        frames.append([front] if abs(10 * n - 300) < 60 else [behind, front])
    followed = run(frames)
    np.testing.assert_allclose(places(followed), [170 + 5 * n for n in range(61)], atol=3)
    assert not followed.jumped.any()
    assert followed.covered[23:38].any()  # the other face reaches into this one
    assert not followed.covered[:15].any()


def test_a_cut_to_somebody_else_is_flagged_and_nothing_of_them_is_kept(make_actor: Any) -> None:
    one, two = make_actor(1, skin=PALE), make_actor(2, 0.85, DARK)
    frames = [[(two if 30 <= n < 45 else one).at(320, 180, 120)] for n in range(80)]
    followed = run(frames, cuts=(30, 45))
    assert not followed.seen[30:45].any()
    assert followed.jumped[30:45].all()
    assert followed.seen[:30].all()
    assert followed.seen[45:].all()
    assert not followed.jumped[:30].any()


def test_the_same_without_a_change_of_scene(make_actor: Any) -> None:
    """A face pasted over a face: only the colours tell."""
    one, two = make_actor(1, skin=PALE), make_actor(2, 0.85, DARK)
    frames = [[(two if 30 <= n < 45 else one).at(320, 180, 120)] for n in range(80)]
    followed = run(frames)
    assert followed.jumped[30:45].all()
    assert not followed.seen[30:45].any()


def test_a_jump_cut_of_one_person_breaks_the_track_and_flags_two_frames(make_actor: Any) -> None:
    one = make_actor(1)
    frames = [[one.at(200 if n < 20 else 420, 180, 120)] for n in range(50)]
    followed = run(frames, cuts=(20,))
    assert followed.seen.all()
    assert np.flatnonzero(followed.jumped).tolist() == [20, 21]
    assert np.flatnonzero(followed.broken).tolist() == [20]
    assert followed.people == 1


def test_a_lost_face_comes_back_as_the_same_person(make_actor: Any) -> None:
    one = make_actor(1)
    frames = [[] if 20 <= n < 60 else [one.at(200 + n, 180, 120)] for n in range(90)]
    followed = run(frames)
    assert followed.people == 1
    assert np.flatnonzero(~followed.seen).tolist() == list(range(20, 60))
    assert not followed.jumped.any()


def test_slow_and_fast_heads_at_several_rates(make_actor: Any) -> None:
    """A head that crosses its own height in a quarter of a second is still the same head."""
    one = make_actor(1)
    for rate in (15, 30, 60):
        frames = [[one.at(100 + 400 * n / rate, 180, 100)] for n in range(rate)]
        followed = follow(clip(frames), WIDTH, HEIGHT, float(rate), topology().positions)
        assert not followed.broken.any()


def test_ghosts_of_a_frame_or_two_are_nobody(make_actor: Any) -> None:
    ghost = make_actor(5)
    frames = [[ghost.at(100, 100, 60)] if n in (7, 8, 35) else [] for n in range(40)]
    with pytest.raises(Problem, match="No face"):
        run(frames)
    with pytest.raises(Problem, match="No face"):
        run([[] for _ in range(40)])


def test_something_over_half_the_face_covers_and_is_no_stranger(make_actor: Any) -> None:
    one = make_actor(1, skin=PALE)
    frames = []
    for n in range(60):
        face = one.at(320, 180, 120)
        if 20 <= n < 30:
            below = face.landmarks[list(range(len(face.colours))), 1]  # any half will do
            colours = face.colours.copy()
            colours[np.argsort(below)[: len(below) // 2]] = (20, 128, 128)
            face = Sighting(face.landmarks, colours)
        frames.append([face])
    followed = run(frames)
    assert followed.covered[20:30].all()
    assert not followed.jumped.any()
    assert not followed.covered[:20].any()
