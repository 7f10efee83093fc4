"""What verify counts: bytes, places, errors, ranks."""

from __future__ import annotations

import numpy as np
import pytest

from gatewright.compiler.samples import Samples
from gatewright.compiler.verification.comparison import byte_mismatches, float_errors, scores_of, top1_agreement
from gatewright.compiler.verification.model import quality


def test_differing_bytes_and_the_first_place() -> None:
    want: dict[str, np.ndarray] = {"a": np.array([[1, 2]], np.int8), "b": np.array([[1, 256, 3]], np.int16)}
    assert byte_mismatches(0, want, {name: array.copy() for name, array in want.items()}) == (0, 8, None)
    got = {"a": want["a"], "b": np.array([[1, 513, 4]], np.int16)}  # 256 -> 513: both bytes; 3 -> 4: one
    differing, compared, first = byte_mismatches(4, want, got)
    assert (differing, compared) == (3, 8)
    assert first is not None
    assert (first.sample, first.tensor, first.index, first.expected, first.got) == (4, "b", (0, 1), 256, 513)


@pytest.mark.parametrize("got", [{}, {"a": np.zeros((2, 1), np.int8)}, {"a": np.zeros((1, 2), np.uint8)}])
def test_another_shape_or_type_is_all_wrong(got: dict[str, np.ndarray]) -> None:
    differing, compared, first = byte_mismatches(0, {"a": np.zeros((1, 2), np.int8)}, got)
    assert differing == compared == 2 and first is not None


def test_ties_are_agreement_and_last_places_are_not() -> None:
    want = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    assert top1_agreement(want, np.array([[0.0, 5.0, 5.0], [5.0, 5.0, 0.0]])) == 1.0
    assert top1_agreement(want, np.array([[0.0, 5.0, 4.9], [5.0, 5.0, 0.0]])) == 0.5
    # A tie in the reference: any of its first classes will do.
    assert top1_agreement(np.array([[5.0, 5.0, 0.0]]), np.array([[0.0, 1.0, 0.5]])) == 1.0
    assert top1_agreement(np.array([[5.0, 5.0, 0.0]]), np.array([[0.0, 0.5, 1.0]])) == 0.0


def test_only_classifiers_have_scores() -> None:
    assert scores_of({"y": np.zeros((6, 1, 4, 1))}, 6) is not None
    for array in (np.zeros((6, 1)), np.zeros((6, 2, 2)), np.zeros(6)):
        assert scores_of({"y": array}, 6) is None
    assert scores_of({"y": np.zeros((6, 4)), "z": np.zeros((6, 4))}, 6) is None


def test_integers_are_compared_as_values() -> None:
    errors = float_errors({"y": np.array([-128, 0], np.int8)}, {"y": np.array([127, 0], np.int8)})
    assert (errors.max_abs, errors.mean_abs) == (255.0, 127.5)


def test_an_autoencoder_has_no_top1_and_labels_give_accuracy() -> None:
    samples = Samples({"x": np.zeros((2, 1, 4))}, np.array([1, 2]))
    scores = np.array([[0.0, 1, 0, 0], [0, 1, 0, 0]])
    assert quality({"y": scores}, {"y": scores}, samples).float_top1_agreement is None
    samples = Samples({"x": np.zeros((2, 1, 5))}, np.array([1, 2]))
    measured = quality({"y": scores}, {"y": scores}, samples)
    assert (measured.float_top1_agreement, measured.accuracy, measured.float_max_abs_error) == (1.0, 0.5, 0.0)
    assert quality(None, {"y": scores}, samples).accuracy == 0.5
