"""What opens and closes the lips is told apart from what else a face expresses."""

from __future__ import annotations

import numpy as np

from studio.head.builtin import builtin_head
from studio.head.lips import lip_gap, lip_motion
from studio.head.topology import INNER_LOWER_LIP, INNER_UPPER_LIP


def test_the_gap_is_what_the_basis_says_of_it() -> None:
    model = builtin_head()
    expression = np.random.default_rng(0).normal(0, 1, 50)
    moved = np.tensordot(expression, model.expression_basis, 1)
    for row, (upper, lower) in enumerate(zip(INNER_UPPER_LIP, INNER_LOWER_LIP)):
        assert np.isclose(lip_gap(model)[row] @ expression, moved[upper, 1] - moved[lower, 1], atol=1e-6)
    assert np.isclose(lip_gap(model)[9] @ expression, moved[13, 2] - moved[14, 2], atol=1e-6)


def test_the_lips_motion_has_all_of_the_gap_and_what_is_left_has_none() -> None:
    model = builtin_head()
    parts, gap = lip_motion(model).astype(np.float64), lip_gap(model).astype(np.float64)
    assert np.abs(gap @ parts - gap).max() < 1e-7
    assert np.abs(parts @ parts - parts).max() < 1e-5


def test_brows_and_the_corners_of_a_smile_are_no_motion_of_lips() -> None:
    model = builtin_head()

    def moves(expression, vertices):
        return 1e3 * np.abs(np.tensordot(expression, model.expression_basis[:, vertices], 1)).max()

    brows = model.handles["brow_raise"].expression
    assert moves(lip_motion(model) @ brows, [105, 334, 65]) < 0.25 < 4.0 < moves(brows, [105, 334, 65])
    smile = model.handles["smile"].expression
    assert moves(smile - lip_motion(model) @ smile, [61, 291]) > 0.85 * moves(smile, [61, 291])
    # … and an open mouth without its jaw is little else.
    opened = model.handles["lower_lip_drop"].expression
    assert moves(lip_motion(model) @ opened, [14]) > 0.5 * moves(opened, [14])
