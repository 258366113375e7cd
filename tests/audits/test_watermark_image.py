"""The mark's proof on pictures of every kind first, then that it is found after edits and says where and what."""

import numpy as np
import pytest
from scipy import ndimage

from audits.watermark import WatermarkError, detect, embed, image, lattice
from audits.watermark.attacks import ATTACKS, scale, turn

KEY, OTHER = b"a key of the tests, 32 bytes long", b"another key of the tests, as long"
PAYLOAD = 0xC0FFEE42


def scenery(seed: int, side: int = 256) -> np.ndarray:
    """A stand-in for a photograph: clouds with hard-edged shapes, in colour."""
    rng = np.random.default_rng(seed)
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij"))
    clouds = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(side, side))) / np.maximum(f, 1 / side) ** 1.4, (side, side))
    grey = 120 + 35 * clouds / clouds.std()
    for _ in range(6):
        y, x = rng.integers(0, side - 60, 2)
        grey[y : y + rng.integers(20, 60), x : x + rng.integers(20, 60)] += rng.normal(0, 40)
    return np.clip(grey[..., None] + np.array([12, 0, -12]), 0, 255).astype(np.uint8)


def unmarked() -> dict[str, np.ndarray]:
    """Pictures nobody marked, each a trap for statistics that assume something about pictures."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 255, 128)
    across = np.broadcast_to(ramp, (128, 128))
    waves = 128 + 60 * np.cos(2 * np.pi * np.arange(128) / 8)
    return {
        name: np.asarray(p, np.uint8)
        for name, p in {
            "black": np.zeros((128, 128)),
            "white": np.full((128, 128, 3), 255),
            "grey": np.full((96, 160), 128),
            "gradient": across,
            "noise": rng.integers(0, 256, (128, 128, 3)),
            "one line": np.where(np.arange(128)[:, None] == 64, 255, 0) + np.zeros((1, 128)),
            "grating": np.broadcast_to(waves, (128, 128)),
            "checks": np.indices((128, 128)).sum(0) // 6 % 2 * 255,
            "blocks": (rng.random((28, 28)) * 255).repeat(8, 0).repeat(8, 1),
            "scenery": scenery(1, 128),
        }.items()
    }


def psnr(a, b):
    return 10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2))


# ---- the proof


@pytest.mark.parametrize("name", unmarked())
def test_hoeffdings_bound_holds_on_every_kind_of_picture(name):
    """2,000 keys at one alignment: T of 384 signs exceeds t no more often than exp(-t^2 / 2) allows."""
    flat = image.residual(unmarked()[name])
    values = lattice.lattice_values(flat, lattice.Spectrum.of(flat), lattice.Pose())
    numbers = lattice.chips(values)
    keys = np.random.default_rng(3).choice([-1.0, 1.0], (2000, len(numbers)))
    t = np.array([lattice.statistic(numbers, s) for s in keys])
    assert abs(t.mean()) < 0.1
    assert t.std() < 1.1
    for level in (1.0, 1.5, 2.0, 2.5, 3.0):
        allowed = 2000 * np.exp(-(level**2) / 2)
        assert (t >= level).sum() <= allowed + 3 * allowed**0.5


@pytest.mark.parametrize("name", unmarked())
def test_nothing_is_found_where_nothing_is(name):
    found = detect(unmarked()[name], [KEY, OTHER, bytes(32)])
    assert found.p_value > 1e-3
    assert found.payload is None
    assert found.view is None
    assert found.tried == 3 * (13 + 4) * 8 * 120 * 120


def test_another_key_finds_nothing_in_a_marked_picture():
    marked = embed(scenery(2), KEY, PAYLOAD)
    assert detect(marked, [OTHER]).p_value > 1e-3
    both = detect(marked, [OTHER, KEY])
    assert both.payload == PAYLOAD
    assert both.p_value >= detect(marked, [KEY]).p_value  # a second key is paid for


def test_fast_and_general_sums_of_waves_agree():
    flat = np.random.default_rng(0).normal(size=(90, 130)).astype(np.float32)
    for scale_ in (1.0, 0.8, 2.0):
        slow = lattice.waves_in(flat, lattice.frequencies(lattice.Pose(0.0, scale_)))
        assert np.allclose(slow, lattice.upright_waves(flat, scale=scale_), atol=0.05)


# ---- what it survives


@pytest.fixture(scope="module")
def marked():
    return embed(scenery(4), KEY, PAYLOAD)


def test_the_spectrum_is_that_of_the_whole_plane():
    """Against the transform of a real picture in full, and scipy's interpolation."""
    flat, n = image.residual(scenery(3)), lattice.LARGEST
    power = np.abs(np.fft.fftshift(np.fft.fft2(flat, (n, n)))) ** 2
    power = np.maximum(power, 1e-3 * power.mean() + 1e-6)
    floor = np.exp(ndimage.uniform_filter(np.log(power), 21, mode="wrap") + np.euler_gamma)
    spectrum = lattice.Spectrum.of(flat)
    assert np.allclose(spectrum.floor, floor, rtol=0.002)
    assert np.allclose(spectrum.heights, power / floor, rtol=0.002, atol=0.001)
    assert np.allclose(lattice._smoothed(spectrum.heights), ndimage.uniform_filter(spectrum.heights, 3, mode="wrap"))
    x, y = np.random.default_rng(0).uniform(-0.6, 0.6, (2, 500)).astype(np.float32)
    smooth = ndimage.map_coordinates(spectrum.heights, [y * n + n / 2, x * n + n / 2], order=1)
    smooth *= (np.abs(x) < 0.49) & (np.abs(y) < 0.49)
    assert np.allclose(lattice._between(spectrum.heights, *lattice._places(x, y)), smooth, atol=1e-3)


def test_a_shift_that_is_sought_is_the_best_of_all():
    """One by one in half pixels, in the view where the pilots fit best."""
    rng, pilots = np.random.default_rng(1), image.key_signs(KEY)[0]
    values = rng.normal(size=(2, len(lattice.WAVES))) + 1j * rng.normal(size=(2, len(lattice.WAVES)))
    best = lattice.sought(values, pilots)
    t = lattice.agreement(values, best, pilots)
    across, down = (part.ravel() / 2 for part in np.meshgrid(np.arange(lattice.GRID), np.arange(lattice.GRID)))
    for view in (0, 5):
        one = lattice.straight(values[0], view, np.zeros(2))[lattice.PILOTS] * np.conj(pilots)
        turns = np.outer(across, lattice.WAVES[lattice.PILOTS, 0]) + np.outer(down, lattice.WAVES[lattice.PILOTS, 1])
        fits = (np.exp(-2j * np.pi * turns / lattice.PERIOD) @ one).real
        assert np.allclose(best[0, view], (across[fits.argmax()], down[fits.argmax()]))
        alone = lattice.chips(lattice.straight(values[0], view, best[0, view])[lattice.PILOTS])
        assert np.isclose(t[0, view], lattice.statistic(alone, lattice.chips(pilots)))
        assert np.isclose(t[0, view], fits.max() / np.linalg.norm(one / np.sqrt(2)))  # a pilot is 1 + i


def test_the_mark_is_faint_and_the_same_every_time(marked):
    plain = scenery(4)
    assert psnr(plain, marked) >= 40
    assert (embed(plain, KEY, PAYLOAD) == marked).all()
    assert (embed(plain, KEY, PAYLOAD + 1) != marked).any()
    grey = embed(plain[..., 0], KEY, PAYLOAD)
    assert grey.shape == plain.shape[:2]
    assert detect(grey, [KEY]).payload == PAYLOAD


HARMLESS = ["jpeg90", "jpeg70", "jpeg50", "resize0.5+back", "crop80", "crop50", "crop80+back", "rot5", "rot15", "rot90"]
HARMLESS += ["hflip", "noise.02", "blur1", "bright0.5", "contrast1.5", "grayscale", "palette32", "screenshot", "combo"]


@pytest.mark.parametrize("name", HARMLESS)
def test_it_is_read_after(name, marked):
    found = detect(ATTACKS[name](marked), [KEY])
    assert found.p_value <= 1e-6
    assert found.payload == PAYLOAD


def test_the_view_says_how_the_picture_lies(marked):
    turned = detect(turn(marked, 15), [KEY]).view
    assert turned.degrees == pytest.approx(-15, abs=0.2)  # y runs down, so anticlockwise is negative
    assert turned.scale == pytest.approx(1, abs=0.005)
    assert not turned.mirrored
    assert detect(scale(marked, 0.7), [KEY]).view.scale == pytest.approx(0.7, rel=0.01)
    assert detect(marked[:, ::-1], [KEY]).view.mirrored
    quarter = detect(np.rot90(marked), [KEY]).view
    assert quarter.degrees == pytest.approx(-90, abs=0.2)


WAYS = {
    "as it is": lambda p: p,
    "mirrored": lambda p: p[:, ::-1],
    "upside down": lambda p: p[::-1],
    "a quarter": np.rot90,
    "three quarters, mirrored": lambda p: np.rot90(p, 3)[:, ::-1],
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("shape", "size"), [((203, 261), 1), ((1000, 500), 1), ((360, 2000), 1), ((512, 512), 0.9)])
def test_an_uncut_picture_needs_no_search_for_its_shift(way, shape, size):
    """Odd sides, sides that the reduction leaves a rest of, a middle that is cut out, another reduction than before."""
    pixels = scenery(7, 2000)[: shape[0], : shape[1]]
    seen = np.ascontiguousarray(WAYS[way](scale(embed(pixels, KEY, PAYLOAD), size)))
    frame, flat, pilots = lattice.Frame.of(*seen.shape[:2]), image.residual(seen), image.key_signs(KEY)[0]
    pose = lattice.Pose(0.0, size * lattice.reduction(*shape) / lattice.reduction(*seen.shape[:2]))
    values = lattice.lattice_values(flat, lattice.Spectrum.of(flat), pose)
    assert pose.scale == 1 or any(abs(pose.scale - zoom) < 1e-9 for zoom in lattice.ZOOMS)
    values = values[None]
    sought = lattice.agreement(values, lattice.sought(values, pilots), pilots)[0]
    told = lattice.agreement(values, frame.shifts(pose.scale)[None], pilots)[0]
    assert told.argmax() == sought.argmax()
    assert told.max() > 0.97 * sought.max() > 7


@pytest.mark.parametrize("way", ["as it is", "mirrored", "a quarter"])
def test_a_mark_too_faint_to_be_sought_is_read_where_nothing_was_cut(way):
    """In a rough texture neither pilots nor message reach 1e-6 after a search; together at the known shift they do."""
    rough = np.clip(np.random.default_rng(8).normal(128, 56, (200, 200)), 0, 255).astype(np.uint8)
    seen = np.ascontiguousarray(WAYS[way](embed(rough, KEY, PAYLOAD)))
    best = image.best_reading(seen, KEY)
    tried = (len(image.UPRIGHT) + image.FOUND) * image.SHIFTS
    assert 2 * tried * np.exp(-(best.pilots**2) / 2) > 1e-6
    assert 2 * 2**32 * 2 * image.DECODED * np.exp(-(best.message**2) / 2) > 1e-6
    found = detect(seen, [KEY])
    assert found.payload == PAYLOAD
    assert found.p_value <= 1e-6
    assert detect(rough, [KEY]).p_value > 1e-3


@pytest.mark.parametrize("shape", [(64, 64), (224, 224, 3), (100, 300, 3), (512, 512, 3), (700, 500, 3)])
def test_any_size_from_64_pixels(shape):
    rng = np.random.default_rng(5)
    soft = ndimage.gaussian_filter(rng.normal(size=shape[:2]), 6)
    plain = np.clip(128 + 40 * soft / soft.std(), 0, 255).astype(np.uint8)
    plain = plain if len(shape) == 2 else np.stack([plain] * 3, -1)
    marked = embed(plain, KEY, PAYLOAD)
    assert marked.shape == shape
    assert detect(marked, [KEY]).payload == PAYLOAD


def test_enlarged_drawings_of_28_pixels_are_read_after_all_value_edits():
    drawing = np.zeros((28, 28), np.uint8)
    drawing[6:24, 9:19] = 180
    drawing[10:14, 4:24] = 120
    plain = np.stack([drawing.repeat(8, 0).repeat(8, 1)] * 3, -1)
    marked = embed(plain, KEY, PAYLOAD)
    assert psnr(plain, marked) >= 42
    for name in ("jpeg50", "resize0.5+back", "blur1", "screenshot", "palette32"):
        assert detect(ATTACKS[name](marked), [KEY]).payload == PAYLOAD, name


# ---- what is refused


@pytest.mark.parametrize(
    "pixels", [np.zeros((64, 64)), np.zeros((64, 64, 4), np.uint8), np.zeros(64, np.uint8), np.zeros((0, 0), np.uint8)]
)
def test_pixels_of_another_form_are_refused(pixels):
    for call in (lambda: embed(pixels, KEY, 1), lambda: detect(pixels, [KEY])):
        with pytest.raises(WatermarkError):
            call()


def test_small_pictures_are_not_marked_and_nothing_is_found_in_them():
    with pytest.raises(WatermarkError, match="63 x 80 is too small"):
        embed(np.zeros((80, 63), np.uint8), KEY, 1)
    for shape in ((1, 1), (1, 5000), (28, 28)):
        assert detect(np.full(shape, 9, np.uint8), [KEY]).p_value == 1
    assert detect(np.full((80, 80), 9, np.uint8), []).p_value == 1
