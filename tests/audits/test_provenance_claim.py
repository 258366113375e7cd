"""Claims: one canonical text for one claim, and one sentence for anything that is not a claim."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest

from audits.provenance import Claim, ClaimError

KNOBS = {"temperature": 0.1, "steps": 5}
CLAIM = Claim("vae-fashion", "ab" * 32, "generate", 7, {"label": "Sac à dos"}, KNOBS)


def test_canonical_text_does_not_depend_on_order():
    other = dataclasses.replace(CLAIM, knobs=dict(reversed(KNOBS.items())))
    assert CLAIM.to_json() == other.to_json()
    assert CLAIM.digest == other.digest
    assert hash(CLAIM) == hash(other)
    assert CLAIM.to_json().isascii()
    assert " " not in CLAIM.to_json().replace("Sac \\u00e0 dos", "")
    assert '"temperature":0.1' in CLAIM.to_json()
    assert len(CLAIM.digest) == 64


def test_round_trip_as_text_bytes_pickle_and_copy():
    assert Claim.from_json(CLAIM.to_json()) == CLAIM
    assert Claim.from_json(CLAIM.to_json().encode()) == CLAIM
    assert pickle.loads(pickle.dumps(CLAIM)) == CLAIM
    assert copy.deepcopy(CLAIM) == CLAIM


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(Claim)])
def test_every_field_changes_the_digest(field):
    changed = {"model": "x", "weights": "y", "action": "walk", "seed": 8, "inputs": {}, "knobs": {"steps": 6}}
    assert dataclasses.replace(CLAIM, **{field: changed[field]}).digest != CLAIM.digest


def test_the_claim_keeps_its_own_copy():
    knobs = {"steps": 1}
    claim = Claim("m", "w", "generate", 0, {}, knobs)
    knobs["steps"] = 2
    assert claim.knobs == {"steps": 1}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", 3), ("model", ""), ("action", ""), ("weights", None),
        ("seed", "7"), ("seed", 7.0), ("seed", True), ("seed", 2**63),
        ("inputs", []), ("inputs", {"label": 3}), ("inputs", {3: "x"}), ("knobs", {"t": []}),
        ("knobs", {"t": float("nan")}), ("knobs", {"t": float("inf")}), ("knobs", {"t": np.float32(1)}),
        ("knobs", {"t": 2**63}), ("model", "\ud800"), ("inputs", {"prompt": "x" * 70_000}),
    ],
)  # fmt: skip
def test_wrong_types_are_one_sentence(field, value):
    with pytest.raises(ClaimError) as caught:
        dataclasses.replace(CLAIM, **{field: value})
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "[]", "3", '"claim"', "{}", b"\xff\xfe", "{", "[" * 60_000, "x" * 70_000,
        CLAIM.to_json()[:-1] + ',"extra":1}', CLAIM.to_json()[:-1] + ',"seed":8}',
        CLAIM.to_json().replace("0.1", "NaN"), CLAIM.to_json().replace("0.1", "1e999"),
        CLAIM.to_json().replace('"seed":7', '"seed":' + "9" * 5000), CLAIM.to_json().replace("7", "null"),
    ],
)  # fmt: skip
def test_what_is_not_a_claim_is_one_sentence(text):
    with pytest.raises(ClaimError) as caught:
        Claim.from_json(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200
