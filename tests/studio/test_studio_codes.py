"""Codes: from items and back, moved, laid out on a map, walked between."""

import io

import numpy as np
import pytest
from PIL import Image
from small_models import picture

from audits.provenance import read_claim
from genlab.data import examples
from genlab.studio import encode, latent_map, pictures, shelf, walk
from genlab.studio.decode import MOVED, decode, move
from genlab.studio.encode import Encoded

MODEL = "vae-small"


def test_every_kind_of_start_gives_a_code():
    seed = encode.encode(MODEL, kind="seed", number=4, label="bag")
    example = encode.encode(MODEL, kind="example", number=17)
    upload = encode.encode(MODEL, kind="upload", upload=picture())
    told = examples.about("fashion")
    assert seed.origin == "seed 4, bag"
    assert example.origin == f"example 17, {told['names'][told['labels'][17]]}"
    assert upload.origin.startswith("upload ")
    for found in (seed, example, upload):
        assert len(found.code) == 16
        assert all(v == round(v, 4) for v in found.code)
    assert encode.encode(MODEL, kind="seed", number=4.0, label="8") == seed


BAD_STARTS = [
    ({"kind": "photo"}, "Kinds of starting items are seed, example, upload"),
    ({"kind": "seed", "number": 0.5}, "seed must be a whole number"),
    ({"kind": "seed", "label": "hat"}, "Classes of vae-small are"),
    ({"kind": "example", "number": 500}, "example's number must be a whole number from 0 to 499"),
    ({"kind": "example", "number": float("nan")}, "example's number"),
    ({"kind": "upload"}, "No picture was uploaded"),
    ({"kind": "upload", "upload": b"nonsense"}, "not a PNG"),
    ({"kind": "upload", "upload": picture()[:80]}, "damaged"),
    ({"kind": "upload", "upload": picture(), "invert": "sometimes"}, "Invert is one of"),
]


@pytest.mark.parametrize(("given", "sentence"), BAD_STARTS, ids=str)
def test_bad_starts_are_one_sentence(given, sentence):
    with pytest.raises(ValueError, match=sentence):
        encode.encode(MODEL, **given)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [("gan-small", "cannot autoencode"), ("vae-conditional", "needs a class"), ("vae", "Models are")],
)
def test_models_without_free_codes_say_so(model, sentence):
    for call in (encode.encode, latent_map.chart, lambda m: decode(m, [0.0] * 16)):
        with pytest.raises(ValueError, match=sentence):
            call(model)


def test_decoding_is_a_function_of_the_code_in_the_claim():
    code = encode.encode(MODEL, kind="example", number=3).code
    sealed = decode(MODEL, list(code), origin="example 3")
    claim = read_claim(sealed.media)
    assert claim.inputs == {"from": "example 3"}
    assert decode(MODEL, encode.parsed(claim.knobs["code"]), origin="example 3") == sealed
    assert Image.open(io.BytesIO(sealed.media)).size == (224, 224)


@pytest.mark.parametrize(
    "code",
    [
        None,
        [],
        "0" * 16,
        [0.0] * 15,
        [float("nan")] * 16,
        [float("inf")] * 16,
        [1e308] * 16,
        ["a"] * 16,
        [True] * 16,
        [[0.0]] * 16,
    ],
    ids=str,
)
def test_bad_codes_are_one_sentence(code):
    with pytest.raises(ValueError, match="list of 16 numbers"):
        decode(MODEL, code)


def test_a_move_changes_one_dimension():
    start = encode.encode(MODEL, kind="example", number=3)
    moved = move(MODEL, start, 5, 1.5)
    chart = latent_map.chart(MODEL)
    change = np.flatnonzero(np.asarray(moved.code) != np.asarray(start.code))
    assert change.tolist() == [5]
    assert moved.code[5] == pytest.approx(chart.mean[5] + 1.5 * chart.deviation[5], abs=1e-4)
    assert moved.origin == start.origin + MOVED == move(MODEL, moved, 4, 0).origin
    for dimension, to, sentence in (
        (16, 0, "dimension"),
        (1.5, 0, "dimension"),
        (0, 9, "standard deviations"),
        (0, None, ""),
    ):
        with pytest.raises(ValueError, match=sentence or "standard deviations"):
            move(MODEL, start, dimension, to)


def test_the_map_meets_every_example_at_its_place():
    chart = latent_map.chart(MODEL)
    assert chart.points.shape == (500, 2)
    assert 0 <= chart.points.min() <= chart.points.max() <= 1
    for row in (0, 123, 499):
        found, shares = latent_map.map_point(MODEL, *chart.points[row].tolist())
        assert np.abs(np.asarray(found.code) - chart.codes[row]).max() < 1e-3
        assert sum(shares.values()) == pytest.approx(1)


def test_the_map_is_smooth():
    path = [latent_map.map_point(MODEL, x, 0.4)[0].code for x in np.linspace(0.3, 0.7, 2001)]
    steps = np.linalg.norm(np.diff(np.asarray(path), axis=0), axis=1)
    spread = np.linalg.norm(latent_map.chart(MODEL).codes.std(0))
    assert steps.max() < 0.2 * spread


@pytest.mark.parametrize(("x", "y"), [(None, 0), (0, float("nan")), (-0.1, 0), (0, 1.01), ("0", 0), (True, 0)])
def test_places_off_the_map_are_one_sentence(x, y):
    with pytest.raises(ValueError, match="is a number from 0 to 1"):
        latent_map.map_point(MODEL, x, y)


def test_a_chart_is_kept_on_disk_and_made_again_when_damaged(chart_folder, monkeypatch):
    before = latent_map.chart(MODEL)
    (file,) = (chart_folder / "charts").glob(f"{shelf.entry(MODEL).weights[:32]}*.npz")
    monkeypatch.setattr(latent_map, "_charts", {})
    with monkeypatch.context() as still:
        still.setattr(latent_map, "_computed", lambda known: pytest.fail("computed again"))
        again = latent_map.chart(MODEL)
    assert (again.points == before.points).all()
    good = file.read_bytes()
    computed = []
    monkeypatch.setattr(latent_map, "_computed", lambda known: computed.append(known) or before)
    for damaged in (b"", good[:-200], b"PK nonsense"):
        file.write_bytes(damaged)
        latent_map._charts.clear()
        latent_map.chart(MODEL)
    file.write_bytes(good)
    assert len(computed) == 3


def test_importance_is_the_mean_squared_change(monkeypatch):
    """On a linear decoder the change of dimension i is known: deviation_i^2 times its column's mean square."""
    draw = np.random.default_rng(0)
    columns, deviation = draw.uniform(0, 8, (3, 28 * 28)), np.array([1.0, 2.0, 0.5])

    def decoder(name, codes):
        return (128 + codes @ columns).reshape(-1, 1, 28, 28)

    monkeypatch.setattr(encode, "pictures_of", decoder)
    found = latent_map.importance("linear", draw.normal(size=(40, 3)), deviation)
    assert found == pytest.approx(np.square(columns / 255).mean(1) * deviation**2)


def test_the_drawn_map_says_whose_items_it_shows():
    sealed = latent_map.drawn_map(MODEL)
    assert read_claim(sealed.media).inputs == {"items": "fashion, MIT"}
    key = latent_map.key_of(MODEL)
    assert [name for name, _ in key][:2] == ["t-shirt", "trouser"]
    assert len({shade for _, shade in key}) == 10


def luminance(shade: str) -> float:
    values = latent_map.colour(shade) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_class_colours_stand_out_from_the_maps_background():
    low = luminance(latent_map.BACKGROUND)
    for shade in latent_map.COLOURS:
        assert (luminance(shade) + 0.05) / (low + 0.05) > 4.5


A, B = np.array([2.0, 0.0, 0.0]), np.array([0.0, 4.0, 0.0])


def test_a_linear_walk_is_the_straight_line():
    assert walk.between(A, B, 3, "linear").tolist() == [[2, 0, 0], [1, 2, 0], [0, 4, 0]]


def test_a_spherical_walk_turns_and_lengthens_evenly():
    path = walk.between(A, B, 7, "spherical")
    lengths = np.linalg.norm(path, axis=1)
    assert lengths == pytest.approx(np.linspace(2, 4, 7), abs=1e-3)
    assert np.degrees(np.arctan2(path[:, 1], path[:, 0])) == pytest.approx(np.linspace(0, 90, 7), abs=0.01)
    assert path[[0, -1]].tolist() == [A.tolist(), B.tolist()]
    for end in (-A, A * 3, A * 0):  # no turn is the shortest: the straight line
        assert np.isfinite(walk.between(A, end, 5, "spherical")).all()


def test_a_walk_in_three_forms():
    start, end = (encode.encode(MODEL, kind="example", number=n) for n in (0, 200))
    made = walk.walk(MODEL, start, end, frames=9)
    with Image.open(io.BytesIO(made.gif.media)) as gif:
        assert (gif.n_frames, gif.size) == (9, (224, 224))
    with Image.open(io.BytesIO(made.strip.media)) as strip:
        assert strip.size == (8 * 224 + 7 * 8, 224)
    assert made.mp4.media[4:8] == b"ftyp"
    for form in ("strip", "gif", "mp4"):
        claim = read_claim(getattr(made, form).media)
        assert (claim.action, claim.inputs["form"], claim.knobs["frames"]) == ("walk", form, 9)
    frames = encode.pictures_of(MODEL, walk.between(np.array(start.code), np.array(end.code), 9, "spherical"))
    strip = walk.make(frames, "strip")
    assert np.array_equal(
        strip.pixels[:, :, :224], pictures.enlarge(encode.pictures_of(MODEL, np.array([start.code]))[0])
    )
    expected, payload = strip.file(made.strip.claim)  # those pixels under the mark of the claim, and nothing else
    assert payload == int(made.strip.claim.digest[:8], 16)
    shown, marked = (np.asarray(Image.open(io.BytesIO(png))) for png in (made.strip.media, expected))
    assert np.array_equal(shown, marked)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"frames": 2}, "number of frames must be a whole number from 3 to 60"),
        ({"frames": 10_000}, "number of frames"),
        ({"frames": 4.7}, "number of frames"),
        ({"path": "crooked"}, "Paths are spherical and linear"),
    ],
)
def test_bad_walks_are_one_sentence(given, sentence):
    start = Encoded((0.0,) * 16, "nowhere")
    with pytest.raises(ValueError, match=sentence):
        walk.walk(MODEL, start, start, **given)


@pytest.mark.parametrize(("side", "factor"), [(8, 8), (28, 8), (32, 8), (48, 5), (64, 4), (224, 1), (300, 1)])
def test_items_are_enlarged_to_at_least_224_pixels_or_eightfold(side, factor):
    assert pictures.enlargement(side, side) == factor


def test_colour_items_make_colour_files():
    items = np.random.default_rng(0).integers(0, 256, (4, 3, 31, 33), np.uint8)
    assert (np.asarray(Image.open(io.BytesIO(pictures.png(items[0])))) == items[0].transpose(1, 2, 0)).all()
    assert Image.open(io.BytesIO(pictures.gif(items, 5))).n_frames == 4
    assert pictures.mp4(items, 5)[4:8] == b"ftyp"
