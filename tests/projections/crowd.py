"""A read model of many runs, written straight into its tables: as many as no test has the time to decide and fold."""

from __future__ import annotations

from typing import Any

from projections.intervals import OPEN
from projections.rows import At
from tests.projections.folded import Folded

BEGAN = 1_800_000_000_000_000
GAP = 40_000  # microseconds from one task to the next
WAIT = 10_000  # from ready to given out

_EVENTS = f"""
create temp table happened as
select row_number() over (order by at_us, i, kind) as seq, * from (
    select i, 0 as kind, {BEGAN} + i * {GAP} as at_us from range($runs) t(i)
    union all select i, 1, {BEGAN} + i * {GAP} + {WAIT} from range($runs) t(i)
    union all select i, 2, {BEGAN} + i * {GAP} + {WAIT} + 2_000 from range($runs) t(i)
    union all select i, 3, {BEGAN} + i * {GAP} + {WAIT} + ($agents * {GAP} * (40 + i * 7919 % 50)) // 100
    from range($runs) t(i)
)
"""
_THINGS = """
create temp table things as
select i, 'default/t' || i as task_id, 'default/t' || i || '~1' as run_id, 'w' || (i % $agents // 10) as worker_id,
    'w' || (i % $agents // 10) || '/a' || (i % $agents) as agent_id, chr(65 + (i % 4)::integer) as lane,
    case when i % 20 = 7 then 'failed' else 'succeeded' end as ended,
    max(seq) filter (kind = 0) as s0, max(seq) filter (kind = 1) as s1, max(seq) filter (kind = 2) as s2,
    max(seq) filter (kind = 3) as s3, max(at_us) filter (kind = 0) as t0, max(at_us) filter (kind = 1) as t1,
    max(at_us) filter (kind = 2) as t2, max(at_us) filter (kind = 3) as t3
from happened group by i
"""
_RUN = """
insert into runs_past by name
select run_id, {from_seq} as from_seq, {to_seq} as to_seq, task_id, 'default' as session_id, '=Task ' || i as title,
    agent_id, worker_id, lane, 1 as attempt, {state} as state, '' as stopping, '' as step, 100 as input_tokens,
    20 as output_tokens, 0 as cache_read_tokens, 0 as cache_write_tokens, 1 as tool_calls, 1000 as cost_uusd,
    '' as error_class, '' as error, '' as summary, 0 as duration_ms, t1 as assigned_at, {started} as started_at,
    {ended} as ended_at, s1 as born
from things order by from_seq
"""
_TASK = """
insert into tasks_past by name
select task_id, {from_seq} as from_seq, {to_seq} as to_seq, 'default' as session_id, '=Task ' || i as title, lane,
    2 as priority, {state} as state, '' as because, '' as proof, {since} as since, t0 as ready_at, s0 as born,
    t0 as born_at
from things order by from_seq
"""
_REST = (
    """insert into moments by name select seq, at_us, at_us as stored_us, seq as command_seq, 1 as parts, true as ended
    from happened order by seq""",
    """insert into timeline by name select h.seq, h.at_us, 'operator' as actor, h.seq as command_seq,
    'default' as session_id, t.task_id, case when kind > 0 then t.run_id end as run_id,
    case when kind > 0 then t.agent_id end as agent_id, case when kind > 0 then t.worker_id end as worker_id, t.lane,
    ['task.submitted', 'worker.assigned', 'run.started', 'run.' || t.ended][kind + 1] as tag,
    kind = 3 and t.ended = 'failed' as failed, 'says' as says
    from happened h join things t using (i) order by h.seq""",
    """insert into ends by name select s3 as seq, t3 as at_us, run_id, task_id, agent_id, worker_id, lane,
    ended as state, 1 as attempt, 120 as tokens, 1000 as cost_uusd, (t3 - t2) // 1000 as duration_ms
    from things order by s3""",
    """insert into commands by name select seq, at_us, 'c' || seq as command_id, 'operator' as actor,
    'task.submit' as tag, 'task' as kind, 'default/t' || i as target from happened order by seq""",
)


async def crowd(folded: Folded, runs: int, agents: int = 40) -> At:
    """Make it; the moment after the last fact. Runs have four facts each; every twentieth failed."""
    store = folded.model.store
    await store.write(_write, runs, agents)
    store.known.fold(seq=4 * runs, observations_seq=0, commands_seq=4 * runs)
    last = (await folded.ask(lambda db: db.run("select max(at_us) as at_us from moments")))[0]["at_us"]
    return At(events_seq=4 * runs, observations_seq=0, commands_seq=4 * runs, at=last, live=True)


def _write(db: Any, runs: int, agents: int) -> None:
    db.execute(_EVENTS, {"runs": runs, "agents": agents})
    db.execute(_THINGS, {"agents": agents})
    for from_seq, to_seq, state, started, ended in (
        ("s1", "s2", "'assigned'", "0", "0"), ("s2", "s3", "'running'", "t2", "0"), ("s3", OPEN, "ended", "t2", "t3"),
    ):  # fmt: skip
        db.execute(_RUN.format(from_seq=from_seq, to_seq=to_seq, state=state, started=started, ended=ended))
    for from_seq, to_seq, state, since in (
        ("s0", "s1", "'ready'", "t0"), ("s1", "s3", "'running'", "t1"),
        ("s3", OPEN, "case ended when 'failed' then 'failed' else 'done' end", "t3"),
    ):  # fmt: skip
        db.execute(_TASK.format(from_seq=from_seq, to_seq=to_seq, state=state, since=since))
    for statement in _REST:
        db.execute(statement)
