"""The detector's parts against cases whose answer is known, and what holds for every kind."""

import math

import pytest
import torch

from genlab.models import contract
from genlab.models.contours import contours, windows
from genlab.models.detector import KINDS, PARTS, Detector
from genlab.models.strangeness import SCORES, Gaussian, Mixture, Neighbours

SHAPES = {"images": (1, 28, 28), "table": (5,), "series": (2, 32)}


def rows(n: int, d: int = 4, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def fitted(kind: str, method: str = "combined", n: int = 60, shape: tuple[int, ...] | None = None) -> Detector:
    shape = shape or SHAPES[kind]
    items = torch.rand(n, *shape, generator=torch.Generator().manual_seed(1))
    made = Detector(kind=kind, shape=shape, method=method)
    assert [done for done, *_ in made.fit(items)] == list(range(len(made.parts)))
    return made


# ---- contours


def test_an_upright_edge_votes_for_one_direction():
    image = torch.zeros(1, 1, 28, 28)
    image[..., 14:] = 1  # dark to light from left to right: the gradient points right, angle 0
    found = contours(image, cells=7)
    assert found.shape == (1, 8, 7, 7)
    assert float(found[:, 1:, 2:-2, 1:-2].abs().max()) < 1e-3  # the border of a bright picture is an edge too
    assert float(found[0, 0, 3, 3]) > 0.1
    assert float(found[0, 0, 3, 0]) == 0  # far from the edge
    flipped = contours(1 - image, cells=7)
    assert float(flipped[0, 4, 3, 3]) > 0.1  # the opposite direction
    same, other = contours(image, cells=7, signed=False), contours(1 - image, cells=7, signed=False)
    inner = (slice(None), slice(None), slice(2, 5), slice(2, 5))
    assert torch.allclose(same[inner], other[inner], atol=1e-4)


def test_turning_a_picture_turns_its_contours():
    image = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    turned = contours(image.rot90(2, (2, 3)), cells=4)
    expected = contours(image, cells=4).flip(2, 3).roll(4, 1)  # half a turn: the opposite of eight directions
    assert torch.allclose(turned[:, :, 1:-1, 1:-1], expected[:, :, 1:-1, 1:-1], atol=0.02)


def test_every_pixel_counts_once():
    for side, cells in ((28, 4), (28, 7), (112, 7), (30, 4)):
        inner = windows(side, cells).sum(0)[side // cells : -side // cells]
        assert torch.allclose(inner * side / cells, torch.ones_like(inner), atol=1e-5)


def test_a_flat_picture_has_no_contours():
    assert float(contours(torch.full((1, 1, 28, 28), 0.6), cells=7)[:, :, 2:5, 2:5].abs().max()) < 1e-3


# ---- scores


def test_neighbours_are_those_of_a_full_sort():
    known, asked = rows(200), rows(20, seed=1)
    score = Neighbours(k=5, power=0)
    score.fit(known)
    expected = torch.cdist(asked, known).sort(1).values[:, :5].mean(1).log()
    assert torch.allclose(score(asked), expected, atol=1e-3)


def test_a_normal_row_is_scored_as_if_it_had_been_left_out():
    known = rows(80)
    own = Neighbours(k=3, power=0).fit(known)
    without = Neighbours(k=3, power=0)
    without.fit(known[1:])
    assert torch.allclose(own[:1], without(known[:1]), atol=1e-3)


def test_copies_among_normal_rows_change_nothing():
    known, asked = rows(60), rows(10, seed=1)
    plain, copied = Neighbours(k=3), Neighbours(k=3)
    plain.fit(known)
    copied.fit(torch.cat([known[:1].expand(9, -1), known]))
    assert torch.equal(plain(asked), copied(asked))
    assert set(copied.nearest(asked).flatten().tolist()) <= {0, *range(10, 69)}


def test_the_spread_of_the_neighbourhood_takes_scale_out_by_half():
    tight, wide = rows(300) * 0.1, rows(300, seed=1) + 50
    score = Neighbours(k=5, power=0.5)
    score.fit(torch.cat([tight, wide]))
    far = torch.tensor([[0.1 * 6, 0, 0, 0], [50 + 6, 50, 50, 50.0]])  # six deviations out of either
    gap = float(score(far)[1] - score(far)[0])
    assert gap == pytest.approx(0.5 * math.log(10), abs=0.3)


def test_the_gaussian_is_the_mahalanobis_distance():
    known, asked = rows(500) @ torch.randn(4, 4, generator=torch.Generator().manual_seed(2)), rows(10, seed=1)
    score = Gaussian(floor=0.0)
    score.fit(known)
    inverse, gap = torch.linalg.inv(torch.cov(known.T)), asked - known.mean(0)
    expected = ((gap @ inverse) * gap).sum(1).sqrt().log()
    assert torch.allclose(score(asked), expected, atol=1e-3)


def test_a_mixture_of_one_is_a_gaussian_and_two_find_two_clusters():
    known = rows(2000, 2)
    score = Mixture(components=1, floor=0.0)
    score.fit(known)
    nats = float(score(known.mean(0, keepdim=True)))
    assert nats == pytest.approx(math.log(2 * math.pi) + 0.5 * float(torch.logdet(torch.cov(known.T))), abs=0.01)
    two = torch.cat([rows(300, 2) * 0.2 + 5, rows(300, 2, seed=1) * 0.2 - 5])
    score = Mixture(components=2)
    score.fit(two)
    assert float(score(torch.tensor([[0.0, 0.0]]))) > float(score(torch.tensor([[5.0, 5.0]]))) + 5


@pytest.mark.parametrize("name", SCORES)
def test_what_is_far_is_strange_and_finite(name):
    score = SCORES[name]()
    own = score.fit(rows(100))
    far = score(rows(5, seed=1) + 100)
    assert torch.isfinite(own).all()
    assert torch.isfinite(far).all()
    assert float(far.min()) > float(own.max())


# ---- the whole


@pytest.mark.parametrize(("kind", "method"), [(kind, method) for kind in KINDS for method in PARTS[kind]])
def test_every_kind_and_score(kind, method):
    made = fitted(kind, method)
    assert isinstance(made, contract.Detector)
    fresh = torch.rand(9, *SHAPES[kind], generator=torch.Generator().manual_seed(2))
    scores = made.surprise(fresh)
    assert scores.shape == (9,)
    assert torch.isfinite(scores).all()
    assert torch.allclose(made.surprise(fresh[:1]), scores[:1], atol=1e-4)  # an item does not depend on its neighbours
    again = Detector.load(made.config(), made.tensors())
    assert torch.equal(again.surprise(fresh), scores)
    strange = fresh.clone() * 0 if kind == "images" else fresh + 50
    assert float(made.surprise(strange).min()) > float(scores.max())


def test_the_map_is_red_where_the_item_was_changed():
    made = Detector(kind="images", shape=(1, 28, 28))
    base = torch.rand(1, 1, 28, 28, generator=torch.Generator().manual_seed(0)).round()
    items = (base * 0.8 + 0.1 * torch.rand(80, 1, 28, 28, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    list(made.fit(items[:70]))
    changed = items[70:].clone()
    changed[:, :, 2:10, 18:26] = 1 - changed[:, :, 2:10, 18:26]
    heat = made.surprise_map(changed)
    assert heat.shape == (10, 28, 28)
    assert float(heat[:, 4:8, 20:24].mean()) > 2 * float(heat[:, 16:, :12].mean())
    assert 0.5 < float(made.surprise_map(items[70:]).mean()) < 1.6  # 1 is usual


def test_colour_is_seen():
    shape = (3, 28, 28)
    grey = torch.rand(60, 1, 28, 28, generator=torch.Generator().manual_seed(1)).expand(-1, 3, -1, -1).clone()
    made = Detector(kind="images", shape=shape)
    list(made.fit(grey[:50]))
    tinted = grey[50:] * torch.tensor([1.0, 0.5, 0.5])[:, None, None]
    assert float(made.surprise(tinted).min()) > float(made.surprise(grey[50:]).max())


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Detector(kind="sound", shape=(1,)), "Kinds are"),
        (lambda: Detector(kind="table", shape=(1,), method="best"), "Scores of table are"),
        (lambda: list(Detector(kind="table", shape=(5,)).fit(torch.rand(1, 5))), "at least 2"),
        (lambda: list(Detector(kind="table", shape=(5,)).fit(torch.ones(20, 5))), "alike"),
        (lambda: fitted("table").surprise(torch.rand(3, 6)), "Items of 5 were learnt; 6"),
        (lambda: fitted("table").surprise_map(torch.rand(3, 5)), "map"),
    ],
)
def test_refusals_are_sentences(call, words):
    with pytest.raises(ValueError, match=words):
        call()
