-- One session: who worked in it, and what that used.

-- query agents
select agent_id, count(*) as runs, count(*) filter (ended_at = 0) as under_way,
    count(*) filter (state = 'succeeded') as done, count(*) filter (state in ('failed', 'lost')) as failed,
    sum(input_tokens + output_tokens + cache_read_tokens + cache_write_tokens)::bigint as tokens,
    sum(cost_uusd)::bigint as cost_uusd, max(last_at) as last_at
from runs
where from_seq <= $seq and to_seq > $seq and session_id = $session_id
group by agent_id
order by under_way desc, runs desc, agent_id
limit $limit

-- query used
select count(*) as runs, count(*) filter (ended_at = 0) as under_way, count(distinct agent_id) as agents,
    count(*) filter (state = 'succeeded') as done, count(*) filter (state in ('failed', 'lost')) as failed,
    coalesce(sum(input_tokens + output_tokens + cache_read_tokens + cache_write_tokens), 0)::bigint as tokens,
    sum(cost_uusd)::bigint as cost_uusd,
    count(*) filter (cost_uusd is null and input_tokens + output_tokens > 0) as unpriced,
    coalesce(sum(duration_ms), 0)::bigint as duration_ms
from runs
where from_seq <= $seq and to_seq > $seq and session_id = $session_id

-- query costs
select session_id, sum(cost_uusd)::bigint as cost_uusd,
    sum(input_tokens + output_tokens + cache_read_tokens + cache_write_tokens)::bigint as tokens,
    count(distinct agent_id) filter (ended_at = 0) as at_work
from runs
where from_seq <= $seq and to_seq > $seq
group by session_id
