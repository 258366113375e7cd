"""The bench of text marks reads as the libraries do: lists looked up, coins recalled, intervals as counted by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import binom
from transformers import GPT2Config, WatermarkDetector, WatermarkingConfig

from audits.watermark.text import Tournament
from audits.watermark.text_detection import detect

V = 64


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parent.parent / "benchmarks"))
    import text_watermark
    import text_watermark_peers

    return text_watermark, text_watermark_peers


@pytest.fixture
def rows():
    return np.random.default_rng(3).integers(2, 9, (5, 40))  # few tokens, so that runs come again


@pytest.mark.parametrize("once", [True, False])
def test_green_lists_are_read_as_by_the_library(bench, rows, once):
    ours = bench[1].GreenList(1, V, ratio=0.25, once=once)
    theirs = WatermarkDetector(
        GPT2Config(vocab_size=V, bos_token_id=0), "cpu",
        WatermarkingConfig(greenlist_ratio=0.25, hashing_key=ours.key), ignore_repeated_ngrams=once,
    )  # fmt: skip
    p = theirs(torch.from_numpy(rows), return_dict=True).p_value
    np.testing.assert_allclose(ours.p_values(rows), p, rtol=1e-6)


def test_synthid_is_read_by_the_librarys_values_and_its_mask_of_repeated_contexts(bench, rows):
    reader = bench[1].SynthID(1, V)
    given = torch.from_numpy(rows)
    values = reader.reader.compute_g_values(given).numpy() @ reader.weights
    mask = reader.reader.compute_context_repetition_mask(given).numpy()
    means = (values * mask).sum(1) / mask.sum(1)
    np.testing.assert_allclose(reader.p_values(rows), reader.p_of(means, mask.sum(1)))


def test_recalled_coins_change_no_p_value(bench, rows):
    mark = Tournament(bytes(32), V)
    recalled = bench[1].Recalled(mark, rows)
    assert [detect(row, [recalled]) for row in rows] == [detect(row, [mark]) for row in rows]
    with pytest.raises(ValueError, match="do not fit"):
        bench[1].Recalled(Tournament(bytes(32), 2**20), rows)


def test_an_interval_is_where_the_binomial_leaves_a_fortieth_on_each_side(bench):
    found = bench[0].exact(7, 500)
    assert binom.sf(6, 500, found["low"]) == pytest.approx(0.025, abs=1e-4)
    assert binom.cdf(7, 500, found["high"]) == pytest.approx(0.025, abs=1e-4)
    assert bench[0].exact(0, 100)["low"] == 0
    assert [bench[0].judged(np.array(hits), 1000, 0.01)["reading"] for hits in ([1, 2], [9, 11], [40, 50])] == [
        "conservative", "nominal", "too high",
    ]  # fmt: skip


def test_windows_follow_each_other_and_share_no_token(bench):
    streams = [np.arange(100), np.arange(1000, 1003), np.arange(2000, 2016)]
    rows = bench[0].windows(streams, 16, 6, np.random.default_rng(0))
    assert rows.shape == (6, 16)
    assert len(np.unique(rows)) == rows.size
    assert (np.diff(rows, axis=1) == 1).all()


def test_streams_are_cut_again_elsewhere_where_windows_are_too_few(bench):
    rows = bench[0].windows([np.arange(100)], 16, 10, np.random.default_rng(0))
    assert rows.shape == (10, 16)
    assert np.bincount(rows.ravel()).max() == 2
    assert len(np.unique(rows[:, 0])) == 10
    with pytest.raises(ValueError, match="long enough"):
        bench[0].windows([np.arange(15)], 16, 1, np.random.default_rng(0))
