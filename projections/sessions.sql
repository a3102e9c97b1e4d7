-- Sessions and the plans that came into them.

-- interval sessions key session_id
state varchar, goal varchar, root varchar, budget_uusd bigint, summary varchar, opened_at bigint, closed_at bigint

-- on core.genesis
select seq, 'default' as session_id, 'open' as state, '' as goal, '' as root, 0 as budget_uusd, '' as summary, at_us as opened_at,
    0 as closed_at
from facts

-- on session.opened
select seq, session_id, 'open' as state, goal, root, budget_uusd, '' as summary, at_us as opened_at, 0 as closed_at
from facts

-- on session.amended
select seq, session_id, goal, root, budget_uusd from facts

-- on session.closed
select seq, session_id, 'closed' as state, summary, at_us as closed_at from facts

-- interval plans key plan_id
session_id varchar, source varchar, state varchar, because varchar, actor varchar, created integer, revised integer,
ready integer, cycles varchar[][], since bigint, born bigint

-- on plan.begun
select seq, plan_id, session_id, source, 'open' as state, '' as because, actor, 0 as created, 0 as revised,
    0 as ready, [] as cycles, at_us as since, seq as born
from facts

-- on plan.sealed
select seq, plan_id, 'sealed' as state, new as created, revised, ready, cycles, at_us as since from facts

-- on plan.dropped alone
select seq, plan_id, 'dropped' as state, reason as because, at_us as since from facts

-- Which tasks came with which plan; the wording waits in tasks.sql until the seal.
-- append planned
seq bigint, plan_id varchar, task_id varchar

-- on task.staged
select seq, plan_id, task_id from facts

-- query page
select session_id, state, goal, root, budget_uusd, summary, opened_at, closed_at from sessions
where from_seq <= $seq and to_seq > $seq order by state desc, opened_at, session_id

-- query plans
select p.plan_id, session_id, state, since as "at", source, because, created as "new", revised, ready, cycles,
    count(s.seq) as staged
from plans p left join planned s on s.plan_id = p.plan_id and s.seq <= $seq and s.seq > p.born
where from_seq <= $seq and to_seq > $seq group by all order by since desc, p.plan_id
