"""Coverage-guided fuzzing of the decoder, for those who have `atheris` (no test needs it).

`python tests/codec/fuzz_atheris.py -max_total_time=600` starts from real files and mends checksums of what it changes,
as a hostile writer would. A ValueError of one sentence or the right pixels are fine; anything else is a find.
"""

import sys
import tempfile
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

with atheris.instrument_imports(include=["genlab.codec"]):
    from test_codec_fuzz import SEEDS, decode, mended

    from genlab.codec import archive, bits_back, classical, container, logistic, lossless  # noqa: F401


def one(raw: bytes) -> None:
    """Decode the bytes as they are, and with checksums that fit."""
    decode(raw)
    decode(mended(bytearray(raw)))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as corpus:
        for i, seed in enumerate(SEEDS):
            (Path(corpus) / f"seed-{i}").write_bytes(seed)
        atheris.Setup([sys.argv[0], corpus, *sys.argv[1:]], one)
        atheris.Fuzz()
