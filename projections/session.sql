-- One session: who worked in it.

-- query agents
select agent_id, count(*) as runs, count(*) filter (ended_at = 0) as under_way,
    count(*) filter (state = 'succeeded') as done, count(*) filter (state in ('failed', 'lost')) as failed,
    max(last_at) as last_at
from runs
where from_seq <= $seq and to_seq > $seq and session_id = $session_id
group by agent_id
order by under_way desc, runs desc, agent_id
limit $limit

-- query whole
select count(distinct agent_id) as agents, coalesce(sum(duration_ms), 0)::bigint as duration_ms
from runs where from_seq <= $seq and to_seq > $seq and session_id = $session_id

-- query at_work
select session_id, count(distinct agent_id) as at_work
from runs where from_seq <= $seq and to_seq > $seq and ended_at = 0
group by session_id
