"""Constants as the machine reads them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gatewright.schedules.accelerator.packing import pack_parameters, stored_weights


@given(
    hnp.arrays(np.int64, st.tuples(st.integers(1, 4), st.integers(1, 6)), elements=st.sampled_from([0, 1, 127, 255])),
    st.sampled_from([0, 1, 128, 255]), st.booleans(), st.data(),
)  # fmt: skip
def test_parts_add_up_to_the_weights(weight: np.ndarray, zero: int, same: bool, data: st.DataObject) -> None:
    zeros = np.full(len(weight), zero)
    if not same:
        zeros = data.draw(hnp.arrays(np.int64, len(weight), elements=st.integers(0, 255)))
    stored = stored_weights(weight, zeros, signed=False)
    dtype = np.int8 if stored.signed else np.uint8
    total = sum(part.view(dtype).astype(np.int64) - stored.zero for part in stored.parts)
    assert np.array_equal(total, weight - zeros[:, None])
    # A byte of padding is a weight of 0.
    padding = np.array([stored.zero & 0xFF], np.uint8).view(dtype)
    assert int(padding[0]) == stored.zero
    assert stored.passes <= 3


def test_records_of_parameters() -> None:
    records = pack_parameters(np.array([-1, 2, 3]), np.array([1 << 30, 5, 6]), np.array([31, 0, 62]), 2)
    assert records.reshape(2, -1).tolist() == [
        [255, 255, 255, 255, 2, 0, 0, 0, 0, 0, 0, 64, 5, 0, 0, 0, 31, 0],
        [3, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 62, 0],
    ]
