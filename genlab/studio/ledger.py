"""The installation's ledger as the studio uses it: everything that is sealed is written down before it leaves.

Where the ledger cannot be written, entries wait in memory and are tried again with the next ones; past `MOST` of them
nothing more leaves. What still waits when the program ends is written to the log, so that nothing is lost in silence.
"""

import atexit
import logging
import os
import threading
from collections.abc import Sequence

from audits.provenance.ledger import Entry, Ledger, LedgerProblem, ledger_url

MOST = 1000  # entries that may wait
log = logging.getLogger(__name__)

_lock = threading.Lock()
_open: dict[str, Ledger] = {}
_waiting: list[Entry] = []


def ledger() -> Ledger:
    """The ledger of the environment, opened once.

    Raises:
        LedgerProblem: one sentence about why it cannot be used.
    """
    url = ledger_url(os.environ)
    with _lock:
        if url not in _open:
            _open[url] = Ledger(url)
        return _open[url]


def record(entries: Sequence[Entry]) -> None:
    """Write entries, and what waits from before.

    Raises:
        LedgerProblem: too many wait already: the ledger must be mended first.
    """
    if len(_waiting) > MOST:
        _write([])
        if len(_waiting) > MOST:
            raise LedgerProblem(f"{len(_waiting):,} items could not be written down, so no more are made. {problem()}")
    _write(entries)


def _write(entries: Sequence[Entry]) -> None:
    with _lock:
        every = [*_waiting, *entries]
        _waiting.clear()
    try:
        ledger().append(every)
    except LedgerProblem as error:
        with _lock:
            _waiting[:0] = every
        log.warning("%d entries wait to be written: %s", len(_waiting), error)


def problem() -> str:
    """Why entries wait to be written, in a sentence; empty where none do."""
    if not _waiting:
        return ""
    try:
        _write([])
        ledger().append([])
    except LedgerProblem as error:
        return str(error)
    return "" if not _waiting else f"{len(_waiting):,} entries wait to be written to the ledger."


@atexit.register
def _last_try() -> None:
    if _waiting:
        _write([])
    for entry in _waiting:
        log.error("never written to the ledger: %s %s", entry.sha256, entry.claim.to_json())
