"""What lossy codecs are compared by: PSNR, MS-SSIM, and the average difference of bits at equal quality (BD-rate)."""

import numpy as np

SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # exponents of the five scales (Wang, Simoncelli and Bovik 2003)
WINDOW, DEVIATION = 11, 1.5  # pixels
STABLE = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio of 8-bit pictures in dB; over several pictures at once it is the pooled one."""
    error = np.square(a.astype(np.float64) - b.astype(np.float64)).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-10)))


def ms_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Multi-scale structural similarity of two pictures (h, w, 3), the mean over red, green and blue.

    Raises:
        ValueError: a side is below 176 pixels: no room for the window at the fifth scale.
    """
    if min(a.shape[:2]) < WINDOW * 2 ** (len(SCALES) - 1):
        raise ValueError(f"MS-SSIM needs sides of 176 pixels or more; {a.shape[1]} x {a.shape[0]} was given.")
    return float(np.mean([_ms_ssim(a[..., c].astype(np.float64), b[..., c].astype(np.float64)) for c in range(3)]))


def ssim_parts(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Mean structural similarity of two planes, and that of contrast and structure alone."""
    mean_a, mean_b = _blur(a), _blur(b)
    both, square_a, square_b = _blur(a * b) - mean_a * mean_b, _blur(a * a) - mean_a**2, _blur(b * b) - mean_b**2
    structure = (2 * both + STABLE[1]) / (square_a + square_b + STABLE[1])
    luminance = (2 * mean_a * mean_b + STABLE[0]) / (mean_a**2 + mean_b**2 + STABLE[0])
    return float((luminance * structure).mean()), float(structure.mean())


def bd_rate(rates: np.ndarray, qualities: np.ndarray, against: tuple[np.ndarray, np.ndarray]) -> float:
    """Average relative difference of bits at equal quality, -0.2 for a fifth fewer (Bjontegaard 2001).

    Logarithms of rates are interpolated over quality by monotone cubics (PCHIP) and averaged over what both reach.

    Raises:
        ValueError: the two reach no quality in common.
    """
    ours, theirs = _curve(rates, qualities), _curve(*against)
    low, high = max(ours.x[0], theirs.x[0]), min(ours.x[-1], theirs.x[-1])
    if low >= high:
        raise ValueError(f"Qualities {ours.x[0]:.4g} to {ours.x[-1]:.4g} and {theirs.x[0]:.4g} to {theirs.x[-1]:.4g} "
                         "have nothing in common: code at more rates.")  # fmt: skip
    return float(np.exp((ours.integrate(low, high) - theirs.integrate(low, high)) / (high - low)) - 1)


def _curve(rates: np.ndarray, qualities: np.ndarray):
    from scipy.interpolate import PchipInterpolator

    order = np.argsort(qualities)
    x, y = np.asarray(qualities, float)[order], np.log(np.asarray(rates, float))[order]
    rising = np.concatenate([[True], np.diff(np.maximum.accumulate(x)) > 0])
    return PchipInterpolator(x[rising], y[rising])


def _ms_ssim(a: np.ndarray, b: np.ndarray) -> float:
    found = 1.0
    for scale, exponent in enumerate(SCALES):
        whole, structure = ssim_parts(a, b)
        found *= max(whole if scale == len(SCALES) - 1 else structure, 0.0) ** exponent
        a, b = _halved(a), _halved(b)
    return found


def _halved(x: np.ndarray) -> np.ndarray:
    x = x[: x.shape[0] // 2 * 2, : x.shape[1] // 2 * 2]
    return (x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4


def _blur(x: np.ndarray) -> np.ndarray:
    """Gaussian window, only where it fits."""
    from scipy.ndimage import correlate1d

    t = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-0.5 * np.square(t / DEVIATION))
    weights /= weights.sum()
    edge = WINDOW // 2
    for axis in (0, 1):
        x = correlate1d(x, weights, axis=axis, mode="nearest")
    return x[edge:-edge, edge:-edge]
