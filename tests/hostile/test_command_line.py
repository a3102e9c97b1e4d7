"""On a terminal, too, what agents and plans wrote steers nothing and forges no row (T5)."""

from __future__ import annotations

import pytest

from console.cli import out
from tests.hostile.payloads import CORPUS
from tests.hostile.reading import HIDDEN

SEEN_ELSEWHERE = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u3164\uffa0"  # they take or hide no place
)


def test_a_table_has_one_row_for_each_thing_whatever_it_is_called(capsys: pytest.CaptureFixture[str]):
    out.table(CORPUS, [("N", CORPUS.index), ("What", lambda payload: payload), ("End", lambda _: "end")], empty="none")
    lines = capsys.readouterr().out.rstrip("\n").split("\n")
    assert len(lines) == len(CORPUS) + 1
    assert [line.split()[0] for line in lines[1:]] == [str(n) for n in range(len(CORPUS))]
    assert all(line.rstrip().endswith("end") for line in lines[1:])


@pytest.mark.parametrize("tell", [out.text, out.say])
def test_no_control_or_direction_character_reaches_the_terminal(tell, capsys: pytest.CaptureFixture[str]):
    for payload in CORPUS:
        tell(payload)
    printed = "".join(capsys.readouterr())
    assert {found for found in HIDDEN.findall(printed) if found not in SEEN_ELSEWHERE} == set()
