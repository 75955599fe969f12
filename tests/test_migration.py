"""The programs of the migration page, before (on Keras 2's own code, which tf_keras is) and after, print the same."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "migration.md").read_text()
PROGRAMS = re.findall(r"<!-- before: (\w+) -->", PAGE)


def before(program: str) -> str:
    [code] = re.findall(rf"<!-- before: {program} -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    return code


def after(program: str) -> str:
    """Return the program with the changes of the page: new lines take the place of old ones, which must be there."""
    [changes] = re.findall(rf"<!-- after: {program} -->\n```diff\n(.*?)```", PAGE, re.DOTALL)
    code = before(program)
    for removed, added in re.findall(r"((?:^-.*\n)+)((?:^\+.*\n)+)", changes, re.MULTILINE):
        old, new = (re.sub("^[-+]", "", lines, flags=re.MULTILINE) for lines in (removed, added))
        assert code.count(old) == 1, old
        code = code.replace(old, new)
    assert "tensorflow.keras" not in code
    return code


def printed(code: str) -> str:
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(code, "program", "exec"), {"__name__": "program"})
    return output.getvalue()


def on_keras_2(code: str) -> str:
    return code.replace("from tensorflow import keras", "import tf_keras as keras").replace(
        "tensorflow.keras", "tf_keras"
    )


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_prints_the_same_before_and_after(program, tmp_path, monkeypatch):
    for folder in ("before", "after"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "before")
    expected = printed(on_keras_2(before(program)))
    assert re.search(r"\d\.\d", expected)
    monkeypatch.chdir(tmp_path / "after")
    assert printed(after(program)) == expected


def test_the_new_program_goes_on_from_the_old_one_s_checkpoint_and_back(tmp_path, monkeypatch):
    old, new = on_keras_2(before("checkpoint")), after("checkpoint")
    outputs = []
    for number, programs in enumerate([(old, old, old), (old, new, old)]):
        (tmp_path / str(number)).mkdir()
        monkeypatch.chdir(tmp_path / str(number))
        outputs.append([printed(program) for program in programs])
    assert [text.splitlines()[0] for text in outputs[1]] == ["from step 0", "from step 20", "from step 40"]
    assert outputs[1] == outputs[0]
