"""The judge of names: what it learns from planted letters, what it keeps of its errors, and the shipped files."""

import numpy as np
import pytest

from genlab.data import Corpus
from genlab.data.names import COUNTRIES, GENDERS
from genlab.metrics import name_judge
from genlab.metrics.name_judge import FOLDER, PLACES, confusion, measure, runs

MIDDLES = ("lin", "mar", "jol", "ben", "tur", "kas", "dov", "pim", "ral", "zed", "gor", "hup")


def planted(split: str, middles) -> Corpus:
    """Women's names end in a, men's in o; names of the first country start with Zz, of the second with Qq."""
    rows = [(f"{start}{m}{end}", c, g) for m in middles for c, start in enumerate(("Zz", "Qq"))
            for g, end in enumerate("ao")]  # fmt: skip
    names, countries, genders = zip(*rows, strict=True)
    groups = {"country": COUNTRIES, "gender": GENDERS}
    attributes = {"country": np.array(countries), "gender": np.array(genders)}
    return Corpus("planted", split, names, (), "none", "nobody", (), attributes, groups)


@pytest.fixture(scope="module")
def taught():
    return name_judge.fit(planted("train", MIDDLES[:8]))


def test_planted_letters_are_learnt_and_new_names_read_by_them(taught):
    test = planted("test", MIDDLES[8:])
    read = taught.read(test.texts)
    assert (read.guess["gender"] == test.attributes["gender"]).all()
    assert (read.guess["country"] == test.attributes["country"]).all()
    assert read.groups("gender")[:2] == ["female", "male"]


def test_chances_sum_to_one_and_a_name_is_read_alike_in_any_company(taught):
    names = ["Zzlina", "", "🦉", "Ana Júlia", "zzLINA"]
    chances = taught.chances(names)
    for attribute, table in chances.items():
        assert table.sum(1) == pytest.approx(1)
        assert taught.chances(names[:1])[attribute][0] == pytest.approx(table[0])
        assert table[0] == pytest.approx(table[4])  # capitals tell nothing


def test_runs_are_of_one_to_four_letters_with_ends():
    assert runs("a") == sorted({name_judge.zlib.crc32(run) % PLACES for run in (b"a", b"^a", b"a$", b"^a$")})
    assert runs("") == [name_judge.zlib.crc32(b"^$") % PLACES]


def test_who_is_not_sure_says_nothing():
    read = name_judge.Read({"gender": np.array([0, 1])}, {"gender": np.array([True, False])})
    assert read.groups("gender") == ["female", "male"]
    assert read.groups("gender", unsure=False) == ["female", None]


def test_counts_are_of_every_item_once(taught):
    test = planted("test", MIDDLES[6:])
    counts = confusion(taught, test, "gender")
    assert counts.sum(1).tolist() == np.bincount(test.attributes["gender"]).tolist()
    kept = measure(taught, planted("train", MIDDLES[:8]), test)
    assert np.sum(kept["trained_on"]) == 32
    assert np.sum(kept["attributes"]["country"]["counts"]) == len(test)
    assert kept["gender_by_country"][COUNTRIES[0]]["counts"] == [[6, 0], [0, 6]]
    assert kept["attributes"]["gender"]["accuracy"]["value"] == 1


# ---- what is shipped


def test_the_shipped_files_are_small_and_belong_together():
    assert sum((FOLDER / f"name_judge.{ending}").stat().st_size for ending in ("npz", "json")) <= 150_000
    judge, about = name_judge.load(), name_judge.about()
    assert {a: w.shape for a, w in judge.weights.items()} == {"country": (PLACES, 20), "gender": (PLACES, 2)}
    assert all(w.dtype == np.int8 for w in judge.weights.values())
    for attribute, table in about["attributes"].items():
        counts, seen = np.array(table["counts"]), np.array(table["seen"])
        assert table["names"] == list(name_judge.ATTRIBUTES[attribute])
        assert (counts.sum(1) >= table["unsure"]).all()
        assert (counts.sum(1) > 0).all()
        assert table["accuracy"]["n"] == counts.sum()
        assert table["accuracy"]["value"] == pytest.approx(np.trace(counts) / counts.sum())
        assert seen.sum() == np.sum(about["trained_on"])
    within = about["gender_by_country"]
    assert np.sum([of["counts"] for of in within.values()], 0).tolist() == about["attributes"]["gender"]["counts"]
    assert np.sum([of["unsure"] for of in within.values()], 0).tolist() == about["attributes"]["gender"]["unsure"]


def test_the_shipped_judge_tells_genders_and_most_countries_apart():
    from audits.bias.confusion import informative

    told = {a: informative(np.array(t["counts"], float)) for a, t in name_judge.about()["attributes"].items()}
    assert (told["gender"] > 0.5).all()
    assert (told["country"] > 0).mean() >= 0.75
    assert name_judge.load().read(["Guðrún", "Mehmet"]).groups("gender") == ["female", "male"]
