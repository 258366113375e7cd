"""What the ledger and the seals cost: `python benchmarks/ledger.py`, written to benchmarks/results/ledger.json.

On one thread, in CPU milliseconds (so that a busy machine changes little):

- a near-match among a million entries, from a picture's hashes to the entries themselves, for hashes that are spread
  evenly and for hashes that crowd around 2,000 prototypes, as the items of a few models do;
- the places that a cut-out may come from, among a tenth of that and all of it;
- reading a million hashes into memory and sorting them in, which a process does once;
- sealing (digest, C2PA manifest, self-check), the entry (hashes, thumbnail), and verifying, per picture;
- writing a gallery of 65 files to the ledger in one transaction, fsync left to the database;
- strangers: of real items that the models learnt from or were meant to look like, how many are said to look like one
  of so many generated ones; and of the generated ones, edited, how many are found.
"""

import argparse
import hashlib
import io
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from serving import machine

from audits.provenance import Claim, Key, perceptual, seal
from audits.provenance.examine import examine
from audits.provenance.ledger import FIRST, Entry, Ledger
from audits.provenance.lookup import RADIUS
from audits.provenance.parts import PACKED, Parts
from audits.provenance.recording import entry_of

RESULTS = Path(__file__).resolve().parent / "results" / "ledger.json"
KEY = Key.of(hashlib.sha256(b"benchmark").digest())
CLAIM = Claim("gan-fashion", "ab" * 32, "generate", 7, {"label": "bag"}, {"truncation": 0.7})
FLIPPED = 0.06  # of a hash's bits in a query: 15 of 256, what a hard edit does


def cpu(run: Callable[[], object], times: int) -> dict[str, float]:
    """Median and 95 % of CPU milliseconds, after one call that does not count."""
    run()
    taken = []
    for _ in range(times):
        began = time.process_time()
        run()
        taken.append(1e3 * (time.process_time() - began))
    return {"median_ms": round(statistics.median(taken), 3), "p95_ms": round(float(np.quantile(taken, 0.95)), 3)}


def hashes(count: int, prototypes: int, rng: np.random.Generator) -> np.ndarray:
    """(count, 4) uint64: evenly spread, or around so many prototypes with a fifth of the bits flipped."""
    if not prototypes:
        return rng.integers(0, 2**64, (count, 4), dtype=np.uint64)
    centres = rng.integers(0, 2**64, (prototypes, 4), dtype=np.uint64)
    made = np.empty((count, 4), np.uint64)
    for at in range(0, count, 50_000):
        part = centres[rng.integers(0, prototypes, min(50_000, count - at))]
        made[at : at + len(part)] = flipped(part, 0.2, rng)
    return made


def flipped(rows: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """The hashes with so many of their bits turned, each by itself."""
    bits = np.unpackbits(np.ascontiguousarray(rows).view(np.uint8), axis=1)
    bits ^= (rng.random(bits.shape, np.float32) < share).astype(np.uint8)
    return np.packbits(bits, axis=1).view(np.uint64)


def filled(url: str, stored: np.ndarray) -> Ledger:
    """A ledger with an entry a hash, written as `append` writes them."""
    ledger = Ledger(url)
    text, link = CLAIM.to_json(), FIRST
    with ledger.engine.execution_options(genlab_writes=True).begin() as connection:
        for at in range(0, len(stored), 20_000):
            rows = []
            for i, row in enumerate(stored[at : at + 20_000], at + 1):
                sha256 = hashlib.sha256(i.to_bytes(8, "big")).hexdigest()
                phash = row.astype(">u8").tobytes()
                entry = Entry(sha256, sha256, "image/png", CLAIM, phash, id=i, made="2026-01-01T00:00:00+00:00")
                link = entry.linked(link)
                rows.append(vars(entry) | {"claim": text, "link": link})
            connection.execute(ledger._entries.insert(), rows)
    return ledger


def lookups(folder: Path, entries: int, prototypes: int, queries: int) -> dict:
    """Near-matches among so many entries: what they cost and how many were found."""
    rng = np.random.default_rng(0)
    stored = hashes(entries, prototypes, rng)
    ledger = filled(f"sqlite:///{folder / f'{prototypes}.sqlite'}", stored)
    began = time.process_time()
    ledger.near(perceptual.Print(stored[:8], 100), 0)
    first = time.process_time() - began
    taken, found, chosen = [], 0, rng.integers(0, entries, queries)
    for row in chosen:
        views = np.concatenate([flipped(stored[row : row + 1], FLIPPED, rng), hashes(7, 0, rng)])
        began = time.process_time()
        near = ledger.near(perceptual.Print(views, 100), RADIUS)
        taken.append(1e3 * (time.process_time() - began))
        found += any(n.entry.id == row + 1 for n in near)
    return {
        "entries": entries,
        "prototypes": prototypes,
        "median_ms": round(statistics.median(taken), 2),
        "p95_ms": round(float(np.quantile(taken, 0.95)), 2),
        "found": found,
        "queries": queries,
        "first_lookup_s": round(first, 2),
    }


def cut_outs(entries: int, queries: int) -> dict:
    """Where a cut-out may come from, among so many pictures of 16 windows each: from pixels to the likeliest places."""
    rng, places = np.random.default_rng(0), Parts()
    for at in range(0, entries, 10_000):
        count = min(10_000, entries - at)
        rows = np.zeros(count * 16, PACKED)
        rows["hash"] = rng.integers(0, 2**64, count * 16, dtype=np.uint64)
        rows["left"], rows["top"] = np.tile(np.arange(16) % 4, count), np.tile(np.arange(16) // 4, count)
        places.add(list(range(at + 1, at + count + 1)), by_picture(rows, count))
    part = photograph(256)[20:225, 30:235]
    return {"entries": entries, **cpu(lambda: places.places(part, 12), queries)}


def by_picture(rows: np.ndarray, count: int) -> list[bytes]:
    """The packed windows of every picture."""
    raw, size = rows.tobytes(), len(rows) // count * PACKED.itemsize
    return [raw[i * size : (i + 1) * size] for i in range(count)]


def photograph(side: int) -> np.ndarray:
    """A photograph that scikit-image carries, at so many pixels a side."""
    import skimage.data
    from PIL import Image

    return np.asarray(Image.fromarray(skimage.data.astronaut()).resize((side, side), Image.Resampling.LANCZOS))


def item() -> np.ndarray:
    """28 x 28 grey pixels, enlarged eightfold, as clothes are delivered."""
    from PIL import Image

    small = np.asarray(Image.fromarray(photograph(512)).convert("L").resize((28, 28)))
    return small.repeat(8, 0).repeat(8, 1)


def png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def costs(folder: Path, times: int) -> dict:
    """Sealing, the entry, and verifying, for a delivered item and two photographs."""
    found = {}
    ledger = Ledger(f"sqlite:///{folder / 'costs.sqlite'}")
    for name, pixels in {"item-224": item(), "photo-256": photograph(256), "photo-512": photograph(512)}.items():
        media = png(pixels)
        sealed = seal(media, "image/png", CLAIM, key=KEY)
        ledger.append([entry_of(sealed, thumbnail=True)])
        found[name] = {
            "bytes": len(media),
            "manifest_bytes": len(sealed.media) - len(media),
            "seal": cpu(lambda media=media: seal(media, "image/png", CLAIM, key=KEY), times),
            "entry": cpu(lambda sealed=sealed: entry_of(sealed, thumbnail=True), times),
            "verify": cpu(lambda sealed=sealed: examine(sealed.media, key=KEY, ledger=ledger), times),
        }
        stripped = png(pixels // 2 + 40)  # other pixels, the same picture: found by its looks
        assert examine(stripped, key=KEY, ledger=ledger).entry is not None
        found[name]["verify_by_looks"] = cpu(lambda s=stripped: examine(s, key=KEY, ledger=ledger), times)
    media, number = png(item()), 0

    def gallery() -> None:
        nonlocal number
        number += 65
        made = [seal(media, "image/png", Claim("m", "w", "generate", number + i), key=KEY) for i in range(65)]
        ledger.append([entry_of(sealed, thumbnail=True) for sealed in made])

    found["gallery of 65 items"] = cpu(gallery, max(3, times // 5))
    return found


def four_fifths(image):
    """The middle of a picture, four fifths each way."""
    wide, tall = image.size
    return image.crop((wide // 10, tall // 10, wide * 9 // 10, tall * 9 // 10))


EDITS = {
    "jpeg 50": lambda image, out: image.save(out, "JPEG", quality=50),
    "webp 50": lambda image, out: image.save(out, "WEBP", quality=50),
    "half size": lambda image, out: image.resize((image.width // 2, image.height // 2)).save(out, "PNG"),
    "turned": lambda image, out: image.transpose(2).save(out, "PNG"),
    "mirrored": lambda image, out: image.transpose(0).save(out, "PNG"),
    "screenshot": lambda image, out: image.resize((image.width * 9 // 10, image.height * 9 // 10)).save(out, "JPEG"),
    "grey": lambda image, out: image.convert("L").save(out, "PNG"),
    "three pixels off": lambda image, out: image.crop((3, 3, *image.size)).save(out, "PNG"),
    "half brighter": lambda image, out: image.point(lambda v: min(255, v * 3 // 2)).save(out, "PNG"),
    "four fifths": lambda image, out: four_fifths(image).save(out, "PNG"),
}


def strangers(folder: Path, items: int) -> dict:
    """Real items against a ledger of generated ones, and edited generated ones against the same."""
    from PIL import Image

    from genlab.data import load
    from genlab.studio import generate, pictures, shelf

    found = {}
    for model, data in {"gan-fashion": "fashion", "gan-professions": "professions"}.items():
        known, ledger = shelf.entry(model), Ledger(f"sqlite:///{folder / f'{model}.sqlite'}")
        made = []
        for at in range(0, items, 100):
            labels = generate.labels_of(known, None, 100, at)
            drawn = pictures.enlarge(generate.draw(model, at, labels, 100, generate.whole_knobs(known, None)))
            made += [pictures.png(picture) for picture in drawn]
        sealed = [seal(m, "image/png", Claim(model, "w", "generate", i), key=KEY) for i, m in enumerate(made)]
        ledger.append([entry_of(s, thumbnail=True) for s in sealed])
        real = load(data, "test" if data == "fashion" else "train").items[:items]
        files = [pictures.png(picture) for picture in pictures.enlarge(real)]
        called = sum(examine(file, key=KEY, ledger=ledger).verdict.verdict != "no evidence" for file in files)
        edits = {}
        for name, edit in EDITS.items():
            again = []
            for media in made[:100]:
                out = io.BytesIO()
                with Image.open(io.BytesIO(media)) as image:
                    edit(image, out)
                again.append(examine(out.getvalue(), key=KEY, ledger=ledger).entry)
            edits[name] = sum(e is not None for e in again) / len(again)
        found[model] = {"generated": len(made), "real": len(files), "real_called_ours": called, "edited_found": edits}
    return found


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--items", type=int, default=300, help="generated and real items of a model")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        body = {
            "machine": f"{machine()}; one thread, CPU time",
            "python": platform.python_version(),
            "command": "python benchmarks/ledger.py",
            "costs": costs(folder, arguments.times),
            "cut_outs": [cut_outs(count, 10) for count in (arguments.entries // 10, arguments.entries)],
            "strangers": strangers(folder, arguments.items),
            "near": [lookups(folder, arguments.entries, many, arguments.queries) for many in (0, 2000)],
        }
    arguments.out.write_text(json.dumps(body, indent=1) + "\n")
    print(json.dumps(body, indent=1))


if __name__ == "__main__":
    main()
