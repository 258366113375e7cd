"""The published figures of lossless coding: they meet the bars, and the README quotes them."""

import json
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FOUND = json.loads((REPOSITORY / "benchmarks" / "results" / "compression.json").read_text())
BITS = FOUND["bits per pixel"]
OURS = BITS["vae-fashion, one archive, all headers counted"]


def test_the_archive_is_as_short_as_it_should_be():
    assert "1,000 test items" in FOUND["data"]
    assert OURS <= 3.05
    assert abs(BITS["archive over one-sample bound"]) <= 0.01
    assert BITS["archive over one-sample bound"] == pytest.approx(OURS / BITS["one-sample bound (ELBO)"] - 1)
    assert all(value > OURS for key, value in BITS.items() if key.startswith(("PNG", "WebP", "xz", "brotli", "our ")))


def test_every_round_trip_was_bit_exact():
    assert len(FOUND["round trip"]) == 8
    assert all(FOUND["round trip"].values())


def test_the_readme_quotes_the_figures():
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    part = text.partition("## Compression that brings")[2].partition("\n## ")[0]
    alone, weights = FOUND["one picture alone, bits per pixel"], FOUND["weights"]
    quoted = [f"{OURS:.3f}", f"{BITS['one-sample bound (ELBO)']:.3f}", f"{BITS['bound with 16 samples']:.3f}"]
    quoted += [f"{100 * BITS['archive over one-sample bound']:.2f} %"]
    quoted += [f"{BITS[key]:.2f}" for key in ("PNG, each", "WebP, each", "xz, all", "brotli, all")]
    quoted += [
        f"{value:.2f}" for key, value in BITS.items() if key.startswith("JPEG-XL") and not isinstance(value, str)
    ]
    quoted += [f"{alone['coded']:.2f}", f"{alone['file, all headers counted']:.2f}", f"{alone['WebP']:.2f}"]
    quoted += [
        f"{weights['bits per pixel over 1,000 items']:.1f}",
        f"{weights['bits per pixel over 60,000 items']:.2f}",
    ]
    assert [number for number in quoted if number not in part] == []


def test_the_exact_likelihood_is_coded_at_its_length_and_quoted():
    found = FOUND["pixelcnn-fashion"]
    assert found["one archive, all headers counted"] < OURS
    assert 0 <= found["archive over likelihood"] <= 0.001
    assert len(found["round trip"]) == 8
    assert all(found["round trip"].values())
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    part = text.partition("## Compression that brings")[2].partition("\n## ")[0]
    quoted = [f"{found['one archive, all headers counted']:.3f}", f"{found['one picture alone, coded']:.2f}"]
    quoted += [f"{100 * found['archive over likelihood']:.2f} %"]
    quoted += [f"{found['weights, bits per pixel over 1,000 items']:.1f}"]
    quoted += [f"{found['weights, bits per pixel over 60,000 items']:.2f}"]
    assert [number for number in quoted if number not in part] == []
