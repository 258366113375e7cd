"""Keys: one development key for all processes, closed to others, and clear words for a bad one."""

import base64
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from audits.provenance import Key, KeyProblem, development_key, key_from_env, signing_key
from audits.provenance.keys import FILE, old_keys

ROOT = Path(__file__).parents[2]
RACE = "import sys, pathlib; from audits.provenance.keys import development_key as d; "
RACE += "sys.stdin.readline(); print(d(pathlib.Path(sys.argv[1])).secret.hex())"


def test_made_once_and_readable_by_its_owner_only(tmp_path):
    key = development_key(tmp_path / "keys")
    assert development_key(tmp_path / "keys") == key
    assert development_key(tmp_path / "others") != key
    assert key.development
    assert key.id.startswith("development-")
    assert stat.S_IMODE((tmp_path / "keys" / FILE).stat().st_mode) == 0o600
    assert [p.name for p in (tmp_path / "keys").iterdir()] == [FILE]
    assert key.secret.hex() not in repr(key)


def test_processes_that_race_get_the_same_key(tmp_path):
    command = [sys.executable, "-c", RACE, str(tmp_path)]
    racers = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    for racer in racers:
        racer.stdin.write("\n")
        racer.stdin.flush()
    assert len({racer.communicate()[0] for racer in racers}) == 1
    assert all(racer.returncode == 0 for racer in racers)


def test_a_file_system_without_links_works_too(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError("no links here")

    monkeypatch.setattr("os.link", refuse)
    assert development_key(tmp_path) == development_key(tmp_path)


def test_the_environment_comes_first(tmp_path):
    secret = bytes(range(32))
    environ = {"GENLAB_SIGNING_KEY": base64.b64encode(secret).decode(), "GENLAB_KEY_FOLDER": str(tmp_path)}
    assert key_from_env(environ) == signing_key(environ) == Key.of(secret)
    assert not Key.of(secret).development
    del environ["GENLAB_SIGNING_KEY"]
    assert key_from_env(environ) is None
    assert signing_key(environ) == development_key(tmp_path)


@pytest.mark.parametrize("text", ["not base64!", "c2hvcnQ=", "é", base64.b64encode(b"x" * 15).decode()])
def test_a_bad_key_is_refused_without_repeating_it(text):
    with pytest.raises(KeyProblem, match="GENLAB_SIGNING_KEY") as caught:
        key_from_env({"GENLAB_SIGNING_KEY": text})
    assert text not in str(caught.value)


def test_a_damaged_or_unwritable_key_file_is_one_sentence(tmp_path):
    (tmp_path / FILE).write_text("nonsense\n")
    with pytest.raises(KeyProblem, match="delete it"):
        development_key(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyProblem, match="cannot be used"):
        development_key(tmp_path / "file")


def test_ids_differ_and_short_secrets_are_refused():
    assert Key.of(b"a" * 16).id != Key.of(b"b" * 16).id
    with pytest.raises(KeyProblem, match="16 bytes"):
        Key.of(b"short")


def test_former_keys_are_read_in_their_order():
    first, second = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
    environ = {"GENLAB_OLD_SIGNING_KEYS": f"  {first}\n{second} {first}"}
    assert old_keys(environ) == (Key.of(b"\x01" * 32), Key.of(b"\x02" * 32))
    assert old_keys({}) == ()


@pytest.mark.parametrize(
    "text", ["nonsense!", "c2hvcnQ=", " ".join(base64.b64encode(bytes([n]) * 32).decode() for n in range(9))]
)
def test_former_keys_that_cannot_be_used(text):
    with pytest.raises(KeyProblem, match="GENLAB_OLD_SIGNING_KEYS"):
        old_keys({"GENLAB_OLD_SIGNING_KEYS": text})
