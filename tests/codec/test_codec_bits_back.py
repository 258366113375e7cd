"""Bits-back coding: exact, about as long as the bound says, the same whatever threads and neighbours do."""

import numpy as np
import pytest
import torch
from little_vae import vae

from genlab.codec.bits_back import Coder, PayloadError, header_from, header_of, usable
from genlab.codec.container import ContainerError
from genlab.metrics.likelihood import bits_per_dimension


def pictures(n: int, seed: int = 0) -> np.ndarray:
    """Smooth grey ramps with noise, uint8 (n, 1, 8, 8)."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 60, 8)[None, None, None] * rng.uniform(0, 2, (n, 1, 8, 1))
    return (ramp + rng.integers(0, 40, (n, 1, 8, 8))).astype(np.uint8)


@pytest.fixture(scope="module")
def coder(model):
    return Coder(model)


@pytest.mark.parametrize("n", [1, 2, 7, 20])
def test_pictures_come_back_bit_for_bit(coder, n):
    items = pictures(n)
    back = coder.decode(coder.encode(items), n)
    assert back.dtype == np.uint8
    assert np.array_equal(back, items)


@pytest.mark.parametrize("level", [0, 255])
def test_plain_pictures_come_back(coder, level):
    items = np.full((5, 1, 8, 8), level, np.uint8)
    assert np.array_equal(coder.decode(coder.encode(items), 5), items)


def test_plain_pictures_that_empty_the_stack_come_back(coder):
    """They leave fewer bits than their latents take, so now and then one has to do without bits back."""
    certain = Coder(vae())
    with torch.no_grad():
        certain.vae.leave.weight.zero_()
        certain.vae.leave.bias.view(9, 4)[3:6] = -1.0  # black, and sure of it
        certain.vae.leave.bias.view(9, 4)[6:] = -6.0
    items = np.concatenate([pictures(3), np.zeros((80, 1, 8, 8), np.uint8), pictures(1)])
    payload = certain.encode(items)
    plain, *_ = header_from(payload, certain.shapes)
    assert 1 < len(plain) < len(items)
    assert plain != set(range(len(plain)))  # not only the first ones
    assert np.array_equal(certain.decode(payload, len(items)), items)


def test_noise_comes_back(coder):
    items = np.random.default_rng(1).integers(0, 256, (6, 1, 8, 8), dtype=np.uint8)
    assert np.array_equal(coder.decode(coder.encode(items), 6), items)


def test_the_length_is_that_of_the_bound(model, coder):
    items = pictures(48)
    images = torch.from_numpy(items).float() / 255
    bound = np.mean([float(bits_per_dimension(model, images, k=1, seed=s).mean()) for s in range(8)])
    found = 8 * len(coder.encode(items)) / items.size
    assert found == pytest.approx(bound, rel=0.03)  # the first picture and the header among so few


def test_threads_change_no_bit(coder, model):
    items, before = pictures(4), torch.get_num_threads()
    try:
        files = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            files.append(Coder(model).encode(items))
            assert torch.get_num_threads() == threads  # put back
    finally:
        torch.set_num_threads(before)
    assert files[0] == files[1] == files[2]


def test_the_last_picture_alone_is_the_end_of_any_archive(coder):
    """No picture depends on what is coded around it: the same pictures in other company decode the same."""
    items = pictures(9)
    for part in (items[:3], items[3:], items[::2]):
        assert np.array_equal(coder.decode(coder.encode(part), len(part)), part)


def test_a_loss_in_a_latent_is_noticed(coder):
    payload = coder.encode(pictures(3))
    for at in range(len(payload) - 4, len(payload) - 40, -4):
        flipped = bytearray(payload)
        flipped[at] ^= 4
        try:
            assert not np.array_equal(coder.decode(bytes(flipped), 3), pictures(3))
        except PayloadError:
            continue


@pytest.mark.parametrize("keep", [0, 1, 3, 8, 20, -4, -3])
def test_cut_short_is_one_sentence(coder, keep):
    payload = coder.encode(pictures(3))
    with pytest.raises(ValueError, match=r"cut short|damaged|beyond what"):
        coder.decode(payload[:keep], 3)


def test_more_pictures_than_were_coded_are_not_made_up(coder):
    with pytest.raises(ValueError, match=r"cut short|damaged"):
        coder.decode(coder.encode(pictures(2)), 400)


def test_only_a_likelihood_of_grey_values_can_code():
    assert usable(vae())
    for other in (vae(likelihood="gaussian"), vae(likelihood="bernoulli"), vae(classes=3, conditional=True), object()):
        assert not usable(other)
    with pytest.raises(ValueError, match="logistic"):
        Coder(vae(likelihood="gaussian"))


def test_wrong_shapes_are_refused(coder):
    for wrong in (np.zeros((0, 1, 8, 8), np.uint8), np.zeros((1, 1, 9, 8), np.uint8), np.zeros((1, 1, 8, 8))):
        with pytest.raises(ValueError, match="uint8"):
            coder.encode(wrong)


def test_the_header_comes_back(coder):
    steps = coder.choose_steps(pictures(3))
    raw = header_of([0, 1, 9], 10, steps)
    plain, by, found, at = header_from(raw + b"rest", coder.shapes)
    assert (plain, by, at) == ({0, 1, 9}, 10, len(raw))
    for a, b in zip(steps, found, strict=True):
        assert np.array_equal(a.free, b.free)
        assert a.code == b.code or not a.free.any()
    with pytest.raises((PayloadError, ContainerError)):
        header_from(b"\1\0\7\7\7\7", coder.shapes)


def test_a_step_far_too_wide_fixes_the_latent(coder):
    steps = coder.choose_steps(pictures(3))
    assert not any(s.coarser(200).free.any() for s in steps)
    assert steps[0].coarser(8).width == pytest.approx(2 * steps[0].width)


def test_the_copy_that_codes_is_of_double_precision_on_the_cpu(model, coder):
    assert all(p.dtype == torch.float64 and p.device.type == "cpu" for p in coder.vae.parameters())
    assert all(p.dtype == torch.float32 for p in model.parameters())
