"""The ledger: nothing in it can be changed unseen, many may write at once, and every failure is one sentence."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_provenance_perceptual import VIEWED, saved, smooth

from audits.__main__ import main
from audits.provenance import Claim, Key, perceptual, seal
from audits.provenance.ledger import Entry, Ledger, LedgerProblem, exists, ledger_url
from audits.provenance.recording import entry_of

ROOT = Path(__file__).parents[2]
KEY = Key.of(b"k" * 32)
CLAIM = Claim("gan-fashion", "cd" * 32, "generate", 3, {"label": "Größe"}, {"truncation": 0.7})


def entry(i, **changed):
    made = Entry(f"{i:064x}", f"{i * 7:064x}", "image/png", replace(CLAIM, seed=i), bytes([i % 256]) * 32)
    return replace(made, **changed)


@pytest.fixture
def ledger(tmp_path):
    return Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")


def sql(ledger, statement, *values):
    with sqlite3.connect(ledger.where) as connection:
        connection.execute(statement, values)
    connection.close()


def test_what_is_written_is_read_again(ledger):
    written = ledger.append([entry(1, thumbnail=b"x", width=3, height=4), entry(2, phash=None)])
    assert [e.id for e in written] == [1, 2]
    assert ledger.by_sha256(entry(1).sha256) == written[0]
    assert ledger.by_content(entry(2).content) == [written[1]]
    assert ledger.by_sha256("00") is None
    assert len(ledger) == 2
    assert Ledger(ledger.url).by_sha256(entry(2).sha256) == written[1]
    assert written[0].made.endswith("+00:00")


def test_a_file_is_written_once(ledger):
    ledger.append([entry(1), entry(2), entry(1)])
    assert ledger.append([entry(2), entry(3)])[0].id == 3
    assert ledger.append([]) == []
    assert len(ledger) == 3
    assert ledger.append([entry(i) for i in range(1500)])[-1].id == 1500
    assert ledger.check().broken is None


CHANGES = {
    "claim": CLAIM.to_json().replace("gan", "vae"), "sha256": "f" * 64, "content": "e" * 64, "made": "2020-01-01",
    "media_type": "image/gif", "phash": b"y" * 32, "windows": b"w" * 10, "thumbnail": b"z", "width": 9,
    "link": "a" * 64, "id": 77,
}  # fmt: skip


@pytest.mark.parametrize("column", CHANGES)
def test_any_changed_value_breaks_the_chain_where_it_was_changed(ledger, column):
    ledger.append([entry(i) for i in range(1, 6)])
    assert ledger.check().entries == 5
    sql(ledger, f"UPDATE entries SET {column} = ? WHERE id = 3", CHANGES[column])
    assert ledger.check().broken == 3


def test_removed_and_added_entries_are_seen(ledger):
    ledger.append([entry(i) for i in range(1, 6)])
    last = ledger.check().link
    assert ledger.check(last).holds
    assert not ledger.check("nonsense").holds
    assert ledger.check().holds is None
    sql(ledger, "DELETE FROM entries WHERE id = 5")
    assert ledger.check(last).broken is None  # the chain alone cannot know its end
    assert ledger.check(last).holds is False
    sql(ledger, "DELETE FROM entries WHERE id = 2")
    assert ledger.check().broken == 2


def test_an_entry_that_was_changed_is_never_shown(ledger):
    ledger.append([entry(i) for i in range(1, 6)])
    sql(ledger, "UPDATE entries SET claim = ? WHERE id = 3", replace(CLAIM, seed=99).to_json())
    with pytest.raises(LedgerProblem, match=r"entry 3 is not what was written; check it with"):
        ledger.by_sha256(entry(3).sha256)
    sql(ledger, "UPDATE entries SET claim = '{' WHERE id = 4")
    with pytest.raises(LedgerProblem, match="entry 4 cannot be read"):
        ledger.by_sha256(entry(4).sha256)
    assert ledger.by_sha256(entry(5).sha256)
    sql(ledger, "UPDATE entries SET phash = ? WHERE id = 5", b"short")
    with pytest.raises(LedgerProblem, match="entry 5 holds no hash"):
        ledger.near(perceptual.print_of(smooth()), 40)


def test_pictures_are_found_by_what_they_show_also_what_others_write(ledger):
    other = Ledger(ledger.url)
    for i in range(30):
        made = seal(saved(smooth(i), "PNG"), "image/png", replace(CLAIM, seed=i), key=KEY)
        (ledger, other)[i % 2].append([entry_of(made, thumbnail=True)])
        for view, change in VIEWED.items():
            if i % 10 == 0 or view == "mirrored":
                found = ledger.near(perceptual.print_of(change(smooth(i))), 31)
                assert [(n.entry.claim.seed, n.view) for n in found] == [(i, view)]
                assert found[0].distance <= 4
    assert ledger.near(perceptual.print_of(smooth(99)), 31) == []


def test_an_entry_keeps_a_thumbnail_only_when_it_may(ledger):
    made = seal(saved(smooth(), "PNG"), "image/png", CLAIM, key=KEY)
    kept, bare = (entry_of(made, thumbnail=allowed) for allowed in (True, False))
    assert len(kept.thumbnail) < 6000
    assert bare.thumbnail is None
    assert (kept.width, kept.height) == (260, 180)
    assert 10 <= len(kept.windows) <= 240
    assert replace(kept, thumbnail=None, windows=None) == bare
    flat = seal(saved(np.zeros((9, 9), np.uint8), "PNG"), "image/png", CLAIM, key=KEY)
    assert entry_of(flat, thumbnail=True).phash is None
    text = seal(b"some words", "text/plain", CLAIM, key=KEY)
    assert (entry_of(text, thumbnail=True).phash, entry_of(text, thumbnail=True).width) == (None, 0)


WRITER = """
import sys
sys.path.insert(0, "tests/audits")
from test_provenance_ledger import Ledger, entry
ledger, start = Ledger(sys.argv[1]), int(sys.argv[2])
sys.stdin.readline()
for i in range(40):
    ledger.append([entry(start + 2 * i), entry(start + 2 * i + 1), entry(7)])
"""


def test_processes_that_write_at_once_lose_nothing(tmp_path):
    url = f"sqlite:///{tmp_path / 'new' / 'ledger.sqlite'}"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, url, str(1000 * k)], cwd=ROOT, stdin=subprocess.PIPE, text=True)
        for k in (1, 2, 3)
    ]
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=120)
        assert writer.returncode == 0
    checked = Ledger(url).check()
    assert (checked.entries, checked.broken) == (3 * 80 + 1, None)


def test_threads_that_write_at_once_lose_nothing(ledger):
    threads = [
        threading.Thread(target=lambda k=k: [ledger.append([entry(k * 100 + i)]) for i in range(25)]) for k in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (ledger.check().entries, ledger.check().broken) == (100, None)


def one_sentence(problem):
    text = str(problem.value)
    assert text.endswith(".")
    assert "\n" not in text
    return text


def test_a_full_disk_is_one_sentence_and_nothing_is_lost(ledger):
    ledger.append([entry(i) for i in range(1, 20)])
    with ledger.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 1}")
    ledger.engine.dispose()
    import sqlalchemy

    @sqlalchemy.event.listens_for(ledger.engine, "connect")
    def full(connection, _):
        connection.execute(f"PRAGMA max_page_count = {pages + 1}")

    with pytest.raises(LedgerProblem, match="disk is full; free some space") as problem:
        ledger.append([entry(i, thumbnail=os.urandom(3000)) for i in range(20, 40)])
    one_sentence(problem)
    assert (ledger.check().entries, ledger.check().broken) == (19, None)
    sqlalchemy.event.remove(ledger.engine, "connect", full)
    ledger.engine.dispose()
    assert ledger.append([entry(20)])[0].id == 20


@pytest.mark.parametrize(
    "damage",
    [lambda raw: b"nonsense" * 600, lambda raw: raw[:100] + os.urandom(len(raw) - 100), lambda raw: raw[:5000]],
)
def test_a_damaged_file_is_one_sentence_and_is_left_alone(tmp_path, damage):
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(f"sqlite:///{path}")
    ledger.append([entry(i) for i in range(300)])
    ledger.engine.dispose()
    path.write_bytes(damage(path.read_bytes()))
    for rest in ("-wal", "-shm"):
        path.with_name(path.name + rest).unlink(missing_ok=True)
    before = path.read_bytes()
    with pytest.raises(LedgerProblem, match="is damaged: keep a copy") as problem:
        Ledger(f"sqlite:///{path}").append([entry(500)])
    one_sentence(problem)
    assert path.read_bytes() == before


def test_places_that_cannot_be_written_are_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerProblem, match=r"cannot be made.*set GENLAB_LEDGER") as problem:
        Ledger(f"sqlite:///{tmp_path / 'file' / 'ledger.sqlite'}")
    one_sentence(problem)
    with pytest.raises(LedgerProblem, match="cannot be opened") as problem:
        Ledger(f"sqlite:///{tmp_path}")
    one_sentence(problem)
    for url in ("nonsense://x", "://", "postgresql+nothing://u:secret@h/d"):
        with pytest.raises(LedgerProblem, match="no SQLAlchemy URL") as problem:
            Ledger(url)
        assert "secret" not in one_sentence(problem)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for the superuser")
def test_a_read_only_folder_is_one_sentence(tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(LedgerProblem, match="cannot be"):
        Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")


def test_a_read_only_ledger_can_be_read_and_says_why_not_written(tmp_path):
    path = tmp_path / "ledger.sqlite"
    first = Ledger(f"sqlite:///{path}")
    first.append([entry(1)])
    first.engine.dispose()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    connection.close()
    ledger = Ledger(f"sqlite:///file:{path}?mode=ro&uri=true")
    assert ledger.by_sha256(entry(1).sha256)
    with pytest.raises(LedgerProblem, match="read-only; make it writable") as problem:
        ledger.append([entry(2)])
    one_sentence(problem)


def test_a_ledger_that_another_process_holds_is_one_sentence(ledger, monkeypatch):
    ledger.append([entry(1)])
    impatient = Ledger(ledger.url)
    import sqlalchemy

    sqlalchemy.event.listen(impatient.engine, "checkout", lambda c, *_: c.execute("PRAGMA busy_timeout = 50"))
    holder = sqlite3.connect(ledger.where, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerProblem, match="busy: another process") as problem:
        impatient.append([entry(2)])
    one_sentence(problem)
    assert impatient.by_sha256(entry(1).sha256)  # reading goes on meanwhile
    holder.execute("ROLLBACK")
    holder.close()
    assert impatient.append([entry(2)])[0].id == 2


def test_where_the_ledger_lives(tmp_path):
    assert ledger_url({"GENLAB_LEDGER": "postgresql://h/d"}) == "postgresql://h/d"
    assert ledger_url({"GENLAB_LEDGER": "/somewhere"}) == "sqlite:////somewhere/ledger.sqlite"
    assert ledger_url({"XDG_DATA_HOME": "/data"}) == "sqlite:////data/genlab/ledger.sqlite"
    assert str(ROOT) not in ledger_url({})
    environ = {"GENLAB_LEDGER": str(tmp_path / "here")}
    assert not exists(environ)
    assert not (tmp_path / "here").exists()
    Ledger(ledger_url(environ))
    assert exists(environ)


def test_the_command_checks_the_chain(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GENLAB_LEDGER", str(tmp_path))
    assert main(["ledger"]) == 1
    ledger = Ledger(ledger_url({"GENLAB_LEDGER": str(tmp_path)}))
    link = ledger.append([entry(1), entry(2)])[0].link
    assert main(["ledger"]) == 0
    assert "2 entries" in capsys.readouterr().out
    assert main(["ledger", "--link", link]) == 0
    assert main(["ledger", "--link", "0" * 64]) == 4
    sql(ledger, "UPDATE entries SET made = '' WHERE id = 2")
    assert main(["ledger"]) == 4
    assert "entry 2 is not what was written" in capsys.readouterr().out
    ledger.engine.dispose()
    Path(ledger.where).write_bytes(b"nonsense" * 1000)
    for rest in ("-wal", "-shm"):
        Path(ledger.where + rest).unlink(missing_ok=True)
    assert main(["ledger"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
