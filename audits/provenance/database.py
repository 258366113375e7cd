"""The ledger's database: its one table, how SQLite is opened, and every failure as one sentence."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path

PATIENCE = 10.0  # seconds to wait for another process that writes


class LedgerProblem(RuntimeError):
    """The ledger cannot be used; the message is a single sentence that says what to do."""


@functools.cache
def table():
    """The entries, as SQLAlchemy sees them."""
    from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, String, Table, Text

    return Table(
        "entries",
        MetaData(),
        Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
        Column("made", String(32), nullable=False),
        Column("sha256", String(64), nullable=False, unique=True),
        Column("content", String(64), nullable=False, index=True),
        Column("media_type", String(40), nullable=False),
        Column("claim", Text, nullable=False),
        Column("phash", LargeBinary(32)),
        Column("windows", LargeBinary),
        Column("thumbnail", LargeBinary),
        Column("width", Integer, nullable=False),
        Column("height", Integer, nullable=False),
        Column("payload", BigInteger, index=True),
        Column("link", String(64), nullable=False),
    )


def engine(url: str):
    """A connection pool; an SQLite file gets its folder, WAL mode, and writers that wait for each other.

    Raises:
        LedgerProblem: the folder cannot be made.
        sqlalchemy.exc.ArgumentError, ImportError: the URL is none, or its driver is missing.
    """
    import sqlalchemy

    parsed = sqlalchemy.engine.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return sqlalchemy.create_engine(url, pool_pre_ping=True)
    if parsed.database and parsed.database != ":memory:":
        try:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerProblem(
                f"The folder of the ledger {parsed.database} cannot be made: {error.strerror or error}; set "
                "GENLAB_LEDGER to a folder that can be written."
            ) from error
    made = sqlalchemy.create_engine(url, connect_args={"timeout": PATIENCE})

    @sqlalchemy.event.listens_for(made, "connect")
    def prepare(connection, _):
        connection.isolation_level = None  # transactions are begun below, and not by the driver
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL"):
            with contextlib.suppress(Exception):  # a read-only file stays in the mode it has
                connection.execute(f"PRAGMA {pragma}")

    @sqlalchemy.event.listens_for(made, "begin")
    def transact(connection):
        writes = connection.get_execution_options().get("genlab_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return made


def begin(connection) -> None:
    """Make the table, or give a ledger that was begun before pixels were marked its column for the mark's message."""
    import sqlalchemy

    entries, seen = table(), sqlalchemy.inspect(connection)
    if not seen.has_table(entries.name):
        entries.metadata.create_all(connection)
    elif "payload" not in {column["name"] for column in seen.get_columns(entries.name)}:
        connection.execute(sqlalchemy.DDL(f"ALTER TABLE {entries.name} ADD COLUMN payload BIGINT"))
        for index in entries.indexes:
            index.create(connection, checkfirst=True)


def ready(engine) -> bool:
    """Whether `begin` has nothing to do."""
    import sqlalchemy

    seen = sqlalchemy.inspect(engine)
    return seen.has_table("entries") and "payload" in {column["name"] for column in seen.get_columns("entries")}


@contextlib.contextmanager
def told(where: str):
    """Whatever the database raises, as one sentence about the ledger."""
    import sqlalchemy

    try:
        yield
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise LedgerProblem(sentence(where, str(getattr(error, "orig", None) or error))) from error


def sentence(where: str, message: str) -> str:
    """The database's message as one sentence with what to do."""
    known = {
        "disk is full": "cannot be written: the disk is full; free some space, nothing that was written is lost",
        "disk I/O error": "cannot be written or read: the disk fails; look at it before anything else is written",
        "readonly": "cannot be written: it is read-only; make it writable or set GENLAB_LEDGER to another folder",
        "unable to open": "cannot be opened: its folder cannot be written; set GENLAB_LEDGER to another folder",
        "malformed": "is damaged: keep a copy, and put back a backup or move it away so that a new one is begun",
        "not a database": "is damaged: keep a copy, and put back a backup or move it away so that a new one is begun",
        "no such column": "was made by another version: move it away so that a new one is begun",
        "locked": f"is busy: another process has held it for {PATIENCE:.0f} seconds; try again",
    }
    for part, words in known.items():
        if part in message:
            return f"The ledger {where} {words}."
    return f"The ledger {where} cannot be used: {' '.join(message.split())[:200]}."
