"""Content ids and seeds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairsmith.ids import canonical_json, content_id, seed_for

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), plain))
def test_the_order_of_keys_does_not_matter(value):
    shuffled = dict(reversed(list(value.items())))
    assert content_id("x", value) == content_id("x", shuffled)


def test_not_a_number_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"score": float("nan")})


def test_ids_are_stable_across_versions():
    assert content_id("prm", ["hello"]) == "prm_c7a0f7154e64cd96c617f251"
    assert seed_for(7, "generate", "prm_1", 0) == 2001072047


@given(st.integers(0, 2**31 - 1), st.text(), st.integers(0, 1000))
def test_seeds_fit_every_engine(seed, record, draw):
    assert 0 <= seed_for(seed, "generate", record, draw) < 2**31
