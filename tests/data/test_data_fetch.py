"""Fetching: what is on disk first, each source in turn, nothing without its hash."""

import gzip
import hashlib

import pytest

from genlab.data import DataError
from genlab.data.fetch import cache_folder, obtain

CONTENT = b"twelve boots"
HASHES = {"boots.idx": hashlib.sha256(CONTENT).hexdigest()}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GENLAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def good(folder):
    (folder / "boots.idx").write_bytes(CONTENT)


def packed(folder):
    with gzip.open(folder / "boots.idx.gz", "wb") as file:
        file.write(CONTENT)


def wrong(folder):
    (folder / "boots.idx").write_bytes(b"twelve slippers")


def failing(folder):
    raise OSError("no network here")


def never(folder):
    raise AssertionError("this source should not be asked")


@pytest.mark.parametrize("source", [good, packed])
def test_a_source_fills_the_cache_once(cache, source):
    folder = obtain("boots", HASHES, places=[], sources=[source])
    assert folder == cache / "boots"
    assert (folder / "boots.idx").read_bytes() == CONTENT
    assert obtain("boots", HASHES, places=[], sources=[never]) == folder
    assert [p.name for p in cache.iterdir()] == ["boots"]  # no scratch folder is left


def test_what_is_on_disk_is_taken_before_anything_is_fetched(tmp_path):
    place = tmp_path / "system"
    place.mkdir()
    packed(place)
    assert (obtain("boots", HASHES, places=[place], sources=[never]) / "boots.idx").read_bytes() == CONTENT
    assert (place / "boots.idx.gz").exists()


def test_the_next_source_is_asked_when_one_fails_or_lies():
    assert obtain("boots", HASHES, places=[], sources=[failing, wrong, good])


def test_an_archive_that_is_wanted_as_it_is_stays_packed():
    def archive(folder):
        (folder / "plays.tar.gz").write_bytes(gzip.compress(CONTENT, mtime=0))

    wanted = {"plays.tar.gz": hashlib.sha256(gzip.compress(CONTENT, mtime=0)).hexdigest()}
    folder = obtain("plays", wanted, places=[], sources=[archive])
    assert gzip.decompress((folder / "plays.tar.gz").read_bytes()) == CONTENT


def test_without_a_source_the_reasons_are_said():
    with pytest.raises(DataError, match=r"could not be fetched \(no network here; .*sha256 differs") as error:
        obtain("boots", HASHES, places=[], sources=[failing, wrong])
    assert str(error.value).count("\n") == 0


def test_a_changed_cache_is_seen():
    folder = obtain("boots", HASHES, places=[], sources=[good])
    wrong(folder)
    with pytest.raises(DataError, match="sha256 differs"):
        obtain("boots", HASHES, places=[], sources=[never])


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("GENLAB_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "genlab"
