"""The ledger: what was sealed here, append-only, every entry chained to the one before by its hash.

An entry holds a claim, the SHA-256 of the sealed file, the digest of its content, and for pictures a perceptual hash;
a small thumbnail only where no upload was involved. No upload is ever stored. It is SQLite in WAL mode by default, and
any other SQLAlchemy URL where several replicas share one.

The chain shows every change to what was written; that its end was cut off shows only to whoever wrote down a link.
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from audits.provenance import database
from audits.provenance.claim import Claim, ClaimError
from audits.provenance.crops import Rectangle
from audits.provenance.database import LedgerProblem
from audits.provenance.entry import FIRST, Entry
from audits.provenance.nearest import Nearest
from audits.provenance.parts import PACKED, Parts
from audits.provenance.perceptual import VIEWS, Print

__all__ = ["Checked", "Entry", "Ledger", "LedgerProblem", "Near", "Part", "exists", "ledger_url"]

VARIABLE = "GENLAB_LEDGER"
FILE = "ledger.sqlite"
ATTEMPTS = 40
BATCH = 400  # rows a statement


@dataclass(frozen=True)
class Near:
    """An entry whose picture is like the one asked for: bits that differ, and the view of ours that it shows."""

    entry: Entry
    distance: int
    view: str


@dataclass(frozen=True)
class Part:
    """An entry that the picture asked for may be cut out of, and where."""

    entry: Entry
    place: Rectangle


@dataclass(frozen=True)
class Checked:
    """What a check of the whole chain found: entries read, the last link, and the first entry that does not fit."""

    entries: int
    link: str
    broken: int | None
    holds: bool | None  # whether the link that was asked for is in the chain; None when none was


class Ledger:
    """A ledger at an SQLAlchemy URL; safe for threads, and for any number of processes at once."""

    def __init__(self, url: str):
        import sqlalchemy

        self.url = url
        self._lock = threading.Lock()
        self._near, self._ids, self._seen = Nearest(), np.empty(0, np.int64), 0
        self._parts, self._parted = Parts(), 0
        try:
            self.engine = database.engine(url)
        except (sqlalchemy.exc.ArgumentError, ImportError) as error:
            why = " ".join(str(error).split())[:120]
            raise LedgerProblem(f"{VARIABLE} holds no SQLAlchemy URL that works here: {why}.") from error
        self._entries = database.table()
        try:
            with self._told():
                if not database.ready(self.engine):
                    with self._writing() as connection:  # of two processes that come at once, one waits for the other
                        database.begin(connection)
        except LedgerProblem:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file: what was written is in it then, and nothing is written to it later."""
        self.engine.dispose()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    @property
    def where(self) -> str:
        """The place of the ledger in words, without a password."""
        import sqlalchemy

        url = sqlalchemy.engine.make_url(self.url)
        return url.database or "in memory" if url.get_backend_name() == "sqlite" else url.render_as_string()

    def append(self, entries: Sequence[Entry]) -> list[Entry]:
        """Write entries, all or none, and return them as written; files that are in already are left out.

        Raises:
            LedgerProblem: the disk is full, the folder is read-only, the file is damaged...; nothing was lost of what
                was in before, and nothing of this was written.
        """
        import sqlalchemy

        entries = list({entry.sha256: entry for entry in entries}.values())
        with self._told():
            for attempt in range(ATTEMPTS):
                try:
                    with self._writing() as connection:
                        return self._chain(connection, entries)
                except sqlalchemy.exc.IntegrityError:  # another process was first with the same number
                    if attempt == ATTEMPTS - 1:
                        raise
        return []

    def _told(self):
        return database.told(self.where)

    def _writing(self):
        return self.engine.execution_options(genlab_writes=True).begin()

    def _chain(self, connection, entries: list[Entry]) -> list[Entry]:
        import sqlalchemy

        columns, known = self._entries.c, set()
        for at in range(0, len(entries), BATCH):
            part = [e.sha256 for e in entries[at : at + BATCH]]
            found = connection.execute(sqlalchemy.select(columns.sha256).where(columns.sha256.in_(part)))
            known |= set(found.scalars())
        last = sqlalchemy.select(columns.id, columns.link).order_by(columns.id.desc()).limit(1)
        number, link = connection.execute(last).first() or (0, FIRST)
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        written = []
        for entry in entries:
            if entry.sha256 in known:
                continue
            number += 1
            entry = replace(entry, id=number, made=now)
            link = entry.linked(link)
            written.append(replace(entry, link=link))
        for at in range(0, len(written), BATCH):
            rows = [vars(e) | {"claim": e.claim.to_json()} for e in written[at : at + BATCH]]
            connection.execute(self._entries.insert(), rows)
        return written

    def __len__(self) -> int:
        import sqlalchemy

        with self._told(), self.engine.connect() as connection:
            return connection.execute(
                sqlalchemy.select(sqlalchemy.func.count()).select_from(self._entries)
            ).scalar_one()

    def by_sha256(self, sha256: str) -> Entry | None:
        """The entry of exactly this file."""
        return next(iter(self._where(self._entries.c.sha256 == sha256)), None)

    def by_content(self, content: str) -> list[Entry]:
        """Entries with this content, whatever manifest the file carries; the first ones made."""
        return self._where(self._entries.c.content == content)

    def by_payload(self, payload: int) -> list[Entry]:
        """Entries whose pixels carry this message; as a rule one, since two share it once in 2^32 pairs."""
        return self._where(self._entries.c.payload == payload)

    def near(self, looked: Print, radius: int, most: int = 20) -> list[Near]:
        """Entries that show the same picture as far as its hash goes, flipped and turned views included.

        Args:
            radius: bits; see `nearest.SURE`.
            most: entries at most, the nearest first.
        """
        with self._lock:
            self._follow()
            rows, views, distances = self._near.within(looked.views, radius)
            found = {}
            for row, view, distance in zip(self._ids[rows].tolist(), views.tolist(), distances.tolist(), strict=True):
                found.setdefault(row, (distance, VIEWS[view]))
                if len(found) == most:
                    break
        entries = {e.id: e for e in self._where(self._entries.c.id.in_(list(found)))} if found else {}
        return [Near(entries[row], *found[row]) for row in found if row in entries]

    def parts(self, pixels: np.ndarray, most: int = 12) -> list[Part]:
        """Entries that the picture may be cut out of, the likeliest first; their thumbnails decide.

        Args:
            pixels: (h, w) or (h, w, c) uint8.
        """
        with self._lock:
            ids, windows = self._since(self._parted, self._entries.c.windows, PACKED.itemsize)
            if ids:
                self._parts.add(ids, windows)
                self._parted = ids[-1]
            found = self._parts.places(pixels, most)
        entries = {e.id: e for e in self._where(self._entries.c.id.in_([p.id for p in found]))} if found else {}
        return [Part(entries[p.id], p.rectangle) for p in found if p.id in entries]

    def _since(self, seen: int, column, size: int) -> tuple[list[int], list[bytes]]:
        """(ids, values) of a column of hashes, written after entry `seen` by any process; a multiple of `size` each."""
        import sqlalchemy

        columns, ids, values = self._entries.c, [], []
        query = sqlalchemy.select(columns.id, column).where(columns.id > seen, column.is_not(None))
        with self._told(), self.engine.connect() as connection:
            for number, value in connection.execute(query.order_by(columns.id)):
                if not isinstance(value, bytes) or len(value) % size:
                    raise LedgerProblem(f"The ledger {self.where} is damaged: entry {number} holds no hash.")
                ids.append(number)
                values.append(value)
        return ids, values

    def _follow(self) -> None:
        """Take hashes into memory that were written since the last look."""
        ids, hashes = self._since(self._seen, self._entries.c.phash, 32)
        if ids:
            self._near.add(np.frombuffer(b"".join(hashes), ">u8").astype(np.uint64))
            self._ids = np.concatenate([self._ids, np.asarray(ids, np.int64)])
            self._seen = ids[-1]

    def _where(self, condition) -> list[Entry]:
        """Entries that fulfil a condition, each seen to fit the one before it."""
        import sqlalchemy

        columns = self._entries.c
        with self._told(), self.engine.connect() as connection:
            query = sqlalchemy.select(self._entries).where(condition).order_by(columns.id).limit(100)
            rows = connection.execute(query).mappings().all()
            if not rows:
                return []
            wanted = [row["id"] - 1 for row in rows]
            links = sqlalchemy.select(columns.id, columns.link).where(columns.id.in_(wanted))
            before = dict(tuple(pair) for pair in connection.execute(links))
        entries = [self._entry(row) for row in rows]
        for entry in entries:
            if entry.linked(before.get(entry.id - 1, FIRST)) != entry.link:
                raise LedgerProblem(
                    f"The ledger {self.where} is damaged: entry {entry.id} is not what was written; check it with "
                    "python -m audits ledger."
                )
        return entries

    def _entry(self, row: Mapping) -> Entry:
        try:
            return Entry(**{**row, "claim": Claim.from_json(row["claim"])})
        except (ClaimError, TypeError) as error:
            raise LedgerProblem(
                f"The ledger {self.where} is damaged: entry {row['id']} cannot be read; check it with "
                "python -m audits ledger."
            ) from error

    def check(self, link: str | None = None) -> Checked:
        """Read the whole chain. `link` is one that was written down earlier: was it ever in this ledger?"""
        before, count, holds = FIRST, 0, None if link is None else False
        for row in self._rows():
            try:
                entry = self._entry(row)
                fits = entry.id == count + 1 and entry.linked(before) == entry.link
            except LedgerProblem:
                fits = False
            if not fits:
                return Checked(count, before, count + 1, holds)
            before, count = entry.link, count + 1
            holds = True if entry.link == link else holds
        return Checked(count, before, None, holds)

    def _rows(self) -> Iterator[Mapping]:
        import sqlalchemy

        at = 0
        while True:
            query = sqlalchemy.select(self._entries).where(self._entries.c.id > at)
            with self._told(), self.engine.connect() as connection:
                rows = connection.execute(query.order_by(self._entries.c.id).limit(10 * BATCH)).mappings().all()
            if not rows:
                return
            yield from rows
            at = rows[-1]["id"]


def ledger_url(environ: Mapping[str, str]) -> str:
    """Where the ledger is: GENLAB_LEDGER (a folder or an SQLAlchemy URL), else `genlab` in the user's data folder."""
    given = environ.get(VARIABLE, "").strip()
    if "://" in given:
        return given
    folder = Path(given) if given else Path(environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "genlab"
    return f"sqlite:///{folder.absolute() / FILE}"


def exists(environ: Mapping[str, str]) -> bool:
    """Whether a ledger was begun there; looking never begins one."""
    url = ledger_url(environ)
    return not url.startswith("sqlite:///") or Path(url.removeprefix("sqlite:///")).is_file()
