"""What became of the boxes of a model, and how far annotators agree."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backhaul.annotation.agreement import agreement_of
from backhaul.annotation.edits import edits_of, pair
from backhaul.campaign.labelled import Edits
from backhaul.values.labels import Labels

SHOWN = Labels.from_rows(
    [
        [0, 0.2, 0.2, 0.2, 0.2],
        [0, 0.6, 0.2, 0.2, 0.2],
        [1, 0.2, 0.7, 0.2, 0.2],
        [1, 0.9, 0.9, 0.1, 0.1],
    ]
)


@st.composite
def some_labels(draw: st.DrawFn) -> Labels:
    side = st.floats(0.05, 0.4)
    centre = st.floats(0.25, 0.75)
    rows = draw(st.lists(st.tuples(st.integers(0, 2), centre, centre, side, side), max_size=6))
    return Labels.from_rows([list(row) for row in rows])


def test_each_kind_of_edit_is_counted() -> None:
    made = Labels.from_rows(
        [
            [0, 0.2, 0.2, 0.2, 0.2],  # as it was
            [0, 0.62, 0.22, 0.2, 0.2],  # moved
            [0, 0.2, 0.7, 0.2, 0.2],  # another class
            [1, 0.5, 0.5, 0.1, 0.1],  # added; the fourth is gone
        ]
    )
    found = edits_of(SHOWN, made)
    assert found.model_copy(update={"mean_iou": None}) == Edits(
        accepted=1, moved=1, reclassified=1, added=1, removed=1
    )
    assert found.n_shown == 4
    assert found.mean_iou == pytest.approx((1 + 0.0324 / 0.0476 + 1) / 3)


def test_nothing_shown_and_nothing_labelled() -> None:
    empty = Labels.empty()
    assert edits_of(empty, empty) == Edits()
    assert edits_of(empty, SHOWN) == Edits(added=4)
    assert edits_of(SHOWN, empty) == Edits(removed=4)


@given(some_labels(), some_labels())
def test_counts_add_up(shown: Labels, made: Labels) -> None:
    found = edits_of(shown, made)
    kept = found.accepted + found.moved + found.reclassified
    assert found.n_shown == len(shown)
    assert kept + found.added == len(made)
    assert edits_of(shown, shown).accepted == len(shown)


@given(some_labels(), some_labels())
def test_a_box_is_in_one_pair_at_most(first: Labels, second: Labels) -> None:
    pairs = pair(first, second, 0.3)
    assert len(set(pairs.first.tolist())) == len(pairs.first)
    assert len(set(pairs.second.tolist())) == len(pairs.second)
    assert np.all(pairs.iou >= 0.3)


def test_of_equal_overlaps_the_box_of_the_class_is_paired() -> None:
    twice = Labels.from_rows([[0, 0.5, 0.5, 0.2, 0.2], [1, 0.5, 0.5, 0.2, 0.2]])
    pairs = pair(twice, twice.take(np.array([1, 0])), 0.5)
    assert twice.class_id[pairs.first].tolist() == [1, 0][: len(pairs.first)][::-1]
    assert edits_of(twice, twice.take(np.array([1, 0]))).accepted == 2


def test_agreement_of_two_annotators() -> None:
    one = Labels.from_rows([[0, 0.2, 0.2, 0.2, 0.2], [1, 0.6, 0.6, 0.2, 0.2]])
    other = Labels.from_rows([[0, 0.2, 0.2, 0.2, 0.2], [0, 0.6, 0.6, 0.2, 0.2]])
    found = agreement_of([(one, other)])
    assert found.f1 == pytest.approx(0.5)
    assert found.mean_iou == pytest.approx(1)
    assert found.kappa == pytest.approx(0)  # the other calls everything 0
    same = agreement_of([(one, one), (other, other)])
    assert (same.f1, same.kappa) == (1.0, 1.0)
    assert agreement_of([(one, Labels.empty())]).f1 == 0.0


def test_two_who_see_nothing_agree() -> None:
    found = agreement_of([(Labels.empty(), Labels.empty())])
    assert found.f1 == 1.0
    assert math.isnan(found.mean_iou)
    assert math.isnan(found.kappa)
