"""PSNR, MS-SSIM and BD-rate against cases on paper and a peer."""

import numpy as np
import pytest

from genlab.metrics.rate_distortion import bd_rate, ms_ssim, psnr, ssim_parts


def test_psnr_of_a_constant_error():
    a = np.full((20, 30, 3), 100, np.uint8)
    assert psnr(a, a + 1) == pytest.approx(20 * np.log10(255))
    assert psnr(np.stack([a, a]), np.stack([a, a + 2])) == pytest.approx(10 * np.log10(255**2 / 2))


def test_one_scale_agrees_with_scikit_image():
    from skimage.metrics import structural_similarity

    rng = np.random.default_rng(0)
    a = rng.uniform(0, 255, (60, 70))
    b = np.clip(a + rng.normal(0, 30, a.shape), 0, 255)
    theirs = structural_similarity(a, b, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    assert ssim_parts(a, b)[0] == pytest.approx(theirs, abs=1e-9)


def test_ms_ssim_falls_with_noise_and_needs_room():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:200, :220]
    a = np.repeat((120 + 60 * np.sin(x / 9) * np.cos(y / 13))[..., None], 3, 2)
    values = [ms_ssim(a, a + rng.normal(0, sigma, a.shape)) for sigma in (0, 5, 20, 60)]
    assert values[0] == pytest.approx(1)
    assert values == sorted(values, reverse=True)
    with pytest.raises(ValueError, match="176"):
        ms_ssim(a[:100], a[:100])


def test_a_fifth_fewer_bits_is_a_bd_rate_of_minus_a_fifth():
    quality = np.array([28.0, 31.0, 34.5, 39.0])
    rates = np.array([0.1, 0.25, 0.6, 1.5])
    assert bd_rate(0.8 * rates, quality, (rates, quality)) == pytest.approx(-0.2)
    assert bd_rate(rates[::-1], quality[::-1], (rates, quality)) == pytest.approx(0)
    with pytest.raises(ValueError, match="nothing in common"):
        bd_rate(rates, quality + 20, (rates, quality))


def test_a_line_in_decibels_is_integrated_exactly():
    """log rate = a + b q for both: the mean difference is that at the middle of what both reach."""
    q1, q2 = np.linspace(30, 40, 6), np.linspace(33, 45, 5)
    ours, theirs = np.exp(-8 + 0.20 * q1), np.exp(-7 + 0.18 * q2)
    middle = 36.5
    assert bd_rate(ours, q1, (theirs, q2)) == pytest.approx(np.exp(-1 + 0.02 * middle) - 1)
