"""How the outside scores of two agents are given to the requests; the agents themselves take eight minutes."""

import pytest
from bench import gap
from test_gap import RATE_HZ, recording, write

from device.bench.requests import Placed
from tests.bench.side_by_side import join, summarize


def test_each_request_gets_the_gap_after_its_last_words(tmp_path):
    # The second request has a pause of 0.8 s in it, the third isn't answered.
    user = recording([(1.0, 2.0), (10.0, 10.5), (11.3, 12.0), (20.0, 21.0)], 30, noise_db=-60)
    # The answer to the first has a pause as well, the one to the second begins too early and goes on where it should.
    agent = recording([(2.5, 4.0), (4.6, 6.0), (10.8, 11.1), (13.0, 14.0)], 30)
    spans = [(1.0, 2.0, 10.0), (10.0, 12.0, 20.0), (20.0, 21.0, 30.0)]
    kinds = ("plain", "open", "open")
    placed = [Placed(n, kind, "", *span, None) for n, (kind, span) in enumerate(zip(kinds, spans, strict=True), 1)]
    scored = gap.score(write(tmp_path / "user.wav", user, RATE_HZ), write(tmp_path / "agent.wav", agent, RATE_HZ))
    rows = join(placed, scored)
    assert [row["gap_ms"] and round(row["gap_ms"], -1) for row in rows] == [500, 1000, None]
    assert [row["cut_ins"] for row in rows] == [0, 1, 0]

    slow = {"gap_ms": 2000.0, "cut_ins": 0}
    found = summarize([{"kind": kind, "nod": row, "framework": slow} for kind, row in zip(kinds, rows, strict=True)])
    assert (found["all"]["nod"]["answered"], found["all"]["framework"]["answered"]) == (2, 3)
    assert found["open"]["ratio"] == pytest.approx(2.0, abs=0.05)
