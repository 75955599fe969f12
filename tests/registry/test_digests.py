"""What listings keep of cards: the same as reading each card would say, kept on disk, and never believed when stale."""

from __future__ import annotations

import json
import os
import sys
import threading
import zlib

import pytest
from tests.fake_site import LYNX

import optreg
from optreg.cards import digest_store
from optreg.cards.digest import digest_of
from optreg.cards.digest_store import DigestStore, cache_folder
from optreg.cards.digesting import digest_of_card
from optreg.cards.reader import read_card
from optreg.registry import Registry

SOURCES = {
    "class": LYNX,
    "card": "class X:\n    card = Card(aliases=('a',), xla=True, api=1, tensorflow='>=2', requires=('b',))\n",
    "old names": "class X:\n    card = Card(deprecated=(Deprecated('a', '1', '2'),), slots=(Slot('m'),))\n",
    "function": "def X(axis=0):\n    '''Says. More.'''\n",
    "rule": "class X(UpdateRule):\n    '''A rule.'''\n    def update(self, *, beta=0.9): ...\n",
    "assigned": "X = make()\n",
    "last of two": "class X:\n    '''First.'''\nif True:\n    class X:\n        '''Second.'''\n",
    "in try": "try:\n    import torch\nexcept ImportError:\n    X = None\nelse:\n    class X:\n        '''Else.'''\n",
    "star": "from os.path import *\n",
    "star and class": "from os.path import *\nclass X:\n    '''Mine.'''\n",
    "served": "def __getattr__(name):\n    return 3\n",
    "inner": "from .inner import Y as X\n",
    "elsewhere": "from os.path import join as X\n",
    "absolute": "from pack.inner import Y as X\n",
    "circle": "from pack import X\n",
    "gone": "from .nowhere import X\n",
    "missing": "class Y: ...\n",
    "syntax": "class X(:\n",
    "bytes": b"\xff\xfe\x00",
    "dynamic": "class X:\n    card = Card(xla=guess())\n",
    "wrong": "class X:\n    card = Card(sparse='never')\n",
    "hooks": "class X:\n    @hookimpl\n    def doctor_checks(self): ...\n    @property\n    def other(self): ...\n",
    "empty": "",
}


def facets(digest):
    return digest._replace(onward="")


def of_reading(reading):
    digest = digest_of_card(reading.card, note=reading.note, hooks=reading.hooks)
    return digest._replace(problem=reading.problem, next_step=reading.next_step)


@pytest.mark.parametrize("name", ["X", "Y", "X.Inner", "Lynx", ""])
@pytest.mark.parametrize("case", SOURCES)
def test_a_digest_says_what_reading_the_card_says(site, tmp_path, case, name):
    inner = "class Y:\n    '''Inner.'''\n    card = Card(aliases=('deep',))\n"
    site.install("pack", {"pack/__init__.py": SOURCES[case], "pack/inner.py": inner})
    expected = of_reading(read_card(f"pack:{name}", "pack"))
    folder = str(tmp_path / "cache")
    fresh = DigestStore(folder)
    assert facets(digest_of(f"pack:{name}", "pack", fresh)) == expected
    fresh.save()
    assert facets(digest_of(f"pack:{name}", "pack", DigestStore(folder))) == expected


@pytest.fixture
def cached(site, tmp_path, monkeypatch):
    """A registry whose digests are kept, and the file that they are kept in."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("OPTREG_CACHE", str(folder))
    site.install_lynx("pack", module="lynx_module")

    def summary():
        registry = Registry([str(site.folder)])
        entry = registry.optimizer_info("lynx")
        found = entry.digest.summary
        entry.store.save()
        return found

    assert summary() == "Steps by the sign of a momentum."
    [file] = folder.iterdir()
    return summary, file


def test_a_source_file_is_parsed_once(cached, monkeypatch):
    summary, _ = cached
    monkeypatch.setattr("optreg.cards.digesting.digest_file", lambda *_: pytest.fail("parsed again"))
    assert summary() == "Steps by the sign of a momentum."


def test_a_changed_source_file_is_parsed_again(cached, site):
    summary, _ = cached
    path = site.folder / "lynx_module.py"
    path.write_text(path.read_text().replace("Steps by", "Walks by"))
    assert summary() == "Walks by the sign of a momentum."
    path.write_text(path.read_text().replace("Walks by", "Leaps by"))  # of the same length
    os.utime(path, ns=(1, 1))
    assert summary() == "Leaps by the sign of a momentum."


def test_what_another_reader_kept_is_not_believed(cached, monkeypatch):
    summary, file = cached
    tampered = file.read_bytes().partition(b"\n")[2].replace(b"Steps by", b"Other by")
    file.write_bytes(b"%08x\n" % zlib.crc32(tampered) + tampered)
    assert summary() == "Other by the sign of a momentum."  # so the file is what is read
    monkeypatch.setattr(digest_store, "fingerprint", lambda: "tomorrow's reader")
    assert summary() == "Steps by the sign of a momentum."


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-20],
        lambda content: content.replace(b"Steps", b"Stops"),
        lambda content: b"not a checksum\n{}",
        lambda content: b"\x80\x04cos\nsystem\n(S'false'\ntR.",
        lambda content: b"%08x\n[]" % zlib.crc32(b"[]"),
        lambda content: b"%08x\n{" % zlib.crc32(b"{"),
        lambda content: b"%08x\n\xff" % zlib.crc32(b"\xff"),
    ],
)
def test_a_damaged_file_is_read_anew_and_repaired(cached, damage):
    summary, file = cached
    sound = file.read_bytes()
    file.write_bytes(damage(sound))
    assert summary() == "Steps by the sign of a momentum."
    assert file.read_bytes() == sound


def test_what_is_kept_is_json_behind_a_checksum(cached):
    _, file = cached
    checksum, _, text = file.read_bytes().partition(b"\n")
    assert int(checksum, 16) == zlib.crc32(text)
    assert set(json.loads(text)) == {"reader", "files"}
    assert [path.name for path in file.parent.iterdir()] == [file.name]  # no temporary file is left


def test_a_folder_that_cannot_be_written_is_passed_over(site, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("OPTREG_CACHE", str(tmp_path / "file" / "below"))
    site.install_lynx("pack", module="lynx_module")
    entry = Registry().optimizer_info("lynx")
    assert entry.digest.summary == "Steps by the sign of a momentum."
    entry.store.save()


@pytest.mark.parametrize("word", ["off", "OFF", "", "0", "no"])
def test_the_switch_keeps_nothing(word):
    assert cache_folder({"OPTREG_CACHE": word}) is None


def test_the_folder_lies_where_the_platform_keeps_caches(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_folder({}) == "/home/me/.cache/optreg/cards"
    assert cache_folder({"XDG_CACHE_HOME": "/tmp/c"}) == "/tmp/c/optreg/cards"
    assert cache_folder({"OPTREG_CACHE": "/x"}) == "/x"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder({}) == "/home/me/Library/Caches/optreg/cards"


def test_processes_that_write_at_once_leave_a_whole_file(cached, site, tmp_path):
    summary, file = cached
    sound = file.read_bytes()

    def write():
        for _ in range(10):
            store = DigestStore(str(file.parent))
            store.look_up(str(site.folder / "lynx_module.py"), "lynx_module", "Lynx")
            store._changed.add("lynx_module")
            store.save()
            assert file.read_bytes() == sound

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert summary() == "Steps by the sign of a momentum."
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_module_that_is_gone_leaves_the_file(site, tmp_path, monkeypatch):
    monkeypatch.setenv("OPTREG_CACHE", str(tmp_path / "cache"))
    modules = {"pack/__init__.py": "", "pack/one.py": LYNX, "pack/two.py": LYNX}
    site.install("pack", modules, one="pack.one:Lynx", two="pack.two:Lynx")
    registry = Registry([str(site.folder)])
    entries = registry.entries()
    assert [entry.digest.summary[:5] for entry in entries] == ["Steps", "Steps"]
    entries[0].store.save()
    (site.folder / "pack" / "two.py").unlink()
    (site.folder / "pack" / "one.py").write_text(LYNX + "\n")
    registry.refresh()
    entries = registry.entries()
    assert [entry.state.value for entry in entries] == ["ready", "broken"]
    entries[0].store.save()
    [file] = (tmp_path / "cache").iterdir()
    assert b"one.py" in file.read_bytes()
    assert b"two.py" not in file.read_bytes()


def test_what_nothing_has_written_for_long_is_removed(cached, site):
    summary, file = cached
    names = ("gone-0123abcd.json", "optreg-x.tmp", "here-0123abcd.json", "thesis.json")
    forgotten, killed, recent, foreign = map(file.with_name, names)
    for path in (forgotten, killed, recent, foreign):
        path.write_text("")
        if path != recent:
            os.utime(path, (1, 1))
    (site.folder / "lynx_module.py").write_text(LYNX + "\n")
    summary()
    assert not forgotten.exists()
    assert not killed.exists()
    assert recent.exists()
    assert foreign.exists()


def test_an_unknown_name_is_found_out_from_digests_alone(site, monkeypatch):
    site.install("pack", {"x.py": "class X:\n    card = Card(aliases=('the_best',))\n"}, x="x:X")
    monkeypatch.setattr("optreg.cards.reader.read_card", lambda *_: pytest.fail("a whole card was read"))
    with pytest.raises(optreg.UnknownOptimizer, match="Did you mean 'the_best'"):
        Registry().get_optimizer("the_bets")
