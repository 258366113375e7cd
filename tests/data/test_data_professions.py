"""The grid of emoji: complete, exactly labelled, split by profession; read here from an archive that the test packs."""

import hashlib
import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from genlab.data import DataError, load, professions

PERSONS = {0x1F468: "man", 0x1F469: "woman", 0x2642: "man", 0x2640: "woman"}


def colour(name: str) -> tuple[int, int, int]:
    """A file's colour from its code points alone: red says who is drawn, green the tone."""
    points = [int(part, 16) for part in name.removesuffix(".png").split("-")]
    person = next((PERSONS[p] for p in points if p in PERSONS), "person")
    tone = next(p for p in points if 0x1F3FB <= p <= 0x1F3FF) - 0x1F3FB
    return 100 * ("man", "woman", "person").index(person), 50 * tone, 7


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """An archive of the package with 64x64 files of one colour each, in place of the real one."""
    folder = tmp_path / "emoji-google"
    folder.mkdir()
    with tarfile.open(folder / professions.ARCHIVE, "w:gz") as packed:
        for name in (
            professions.file_name(p, person, tone)
            for p in professions.ALL
            for person in ("man", "woman", "person")
            for tone in range(5)
        ):
            raw = io.BytesIO()
            Image.new("RGBA", (64, 64), (*colour(name), 255)).save(raw, "PNG")
            member = tarfile.TarInfo(f"package/img/google/64/{name}")
            member.size = len(raw.getvalue())
            packed.addfile(member, io.BytesIO(raw.getvalue()))
    digest = hashlib.sha256((folder / professions.ARCHIVE).read_bytes()).hexdigest()
    monkeypatch.setenv("GENLAB_CACHE", str(tmp_path))
    monkeypatch.setattr(professions, "HASHES", {professions.ARCHIVE: digest})
    professions.load.cache_clear()
    yield folder / professions.ARCHIVE
    professions.load.cache_clear()


def test_every_label_is_what_was_drawn(archive):
    for split, count in (("train", 270), ("test", 30)):
        data = load("professions", split)
        assert data.items.shape == (count, 3, 64, 64)
        assert (data.items[:, 0, 0, 0] // 100 == data.attributes["presentation"]).all()
        assert (data.items[:, 1, 0, 0] // 50 == data.attributes["tone"]).all()
        cells = set(zip(data.labels, data.attributes["presentation"], data.attributes["tone"], strict=True))
        assert len(cells) == count


def test_professions_never_straddle_the_splits(archive):
    train, test = (load("professions", split) for split in ("train", "test"))
    assert not set(train.labels) & set(test.labels)
    assert {train.names[c] for c in train.labels} == set(professions.TRAINED)
    assert {test.names[c] for c in test.labels} == {"health worker", "technologist"}
    assert train.shares()["tone"] == pytest.approx(dict.fromkeys(professions.ATTRIBUTES["tone"], 0.2))


def test_an_archive_that_lacks_a_drawing_is_refused(archive, monkeypatch):
    monkeypatch.setitem(professions.SIGN_OF, "cook", "1f999")
    with pytest.raises(DataError, match=r"lacks .* and 14 more"):
        load("professions")


def test_files_are_named_by_their_code_points():
    assert professions.file_name("cook", "woman", 0) == "1f469-1f3fb-200d-1f373.png"
    assert professions.file_name("police officer", "man", 4) == "1f46e-1f3ff-200d-2642-fe0f.png"
    assert professions.file_name("police officer", "person", 2) == "1f46e-1f3fd.png"
    names = [professions.file_name(p, who, t) for p in professions.ALL for who in professions.PERSON for t in range(5)]
    assert len(set(names)) == 300
    assert np.all([name.isascii() for name in names])
