-- One row for each run that ended, in the order of the log, so that the last hour is at the table's end.

-- append ends
seq bigint, at_us bigint, run_id varchar, task_id varchar, agent_id varchar, worker_id varchar, lane varchar,
state varchar, attempt integer, duration_ms bigint, tokens bigint, cost_uusd bigint

-- on run.succeeded
select seq, at_us, run_id, task_id, agent_id, worker_id, lane, 'succeeded' as state,
    split_part(run_id, '~', -1)::integer as attempt, duration_ms,
    usage_input_tokens + usage_output_tokens + usage_cache_read_tokens + usage_cache_write_tokens as tokens,
    usage_cost_uusd as cost_uusd
from facts

-- on run.failed
select seq, at_us, run_id, task_id, agent_id, worker_id, lane, 'failed' as state,
    split_part(run_id, '~', -1)::integer as attempt, duration_ms,
    usage_input_tokens + usage_output_tokens + usage_cache_read_tokens + usage_cache_write_tokens as tokens,
    usage_cost_uusd as cost_uusd
from facts

-- on run.interrupted
select seq, at_us, run_id, task_id, agent_id, worker_id, lane, 'interrupted' as state,
    split_part(run_id, '~', -1)::integer as attempt, duration_ms,
    usage_input_tokens + usage_output_tokens + usage_cache_read_tokens + usage_cache_write_tokens as tokens,
    usage_cost_uusd as cost_uusd
from facts

-- on run.stopped
select seq, at_us, run_id, task_id, agent_id, worker_id, lane, 'cancelled' as state,
    split_part(run_id, '~', -1)::integer as attempt, duration_ms,
    usage_input_tokens + usage_output_tokens + usage_cache_read_tokens + usage_cache_write_tokens as tokens,
    usage_cost_uusd as cost_uusd
from facts

-- on worker.registered
select seq, at_us, run_id, task_id, agent_id, worker_id, lane, 'lost' as state,
    split_part(run_id, '~', -1)::integer as attempt, 0 as duration_ms, 0 as tokens
from (select seq, at_us, worker_id, unnest(released, recursive := true) from facts)

-- on worker.lost
select seq, at_us, run_id, task_id, agent_id, worker_id, lane, 'lost' as state,
    split_part(run_id, '~', -1)::integer as attempt, 0 as duration_ms, 0 as tokens
from (select seq, at_us, worker_id, unnest(released, recursive := true) from facts)

-- on worker.left
select seq, at_us, run_id, task_id, agent_id, worker_id, lane, 'interrupted' as state,
    split_part(run_id, '~', -1)::integer as attempt, 0 as duration_ms, 0 as tokens
from (select seq, at_us, worker_id, unnest(released, recursive := true) from facts)

-- query minutes
select (at_us - $since) // 60000000 as minute, count(*) filter (state = 'succeeded') as done,
    count(*) filter (state = 'failed') as failed, count(*) filter (state = 'lost') as lost,
    sum(tokens)::bigint as tokens, coalesce(sum(cost_uusd), 0)::bigint as cost_uusd
from ends where seq <= $seq and at_us >= $since and at_us < $until
group by minute

-- query hour
select count(*) filter (state = 'succeeded') as done, count(*) filter (state = 'failed') as failed,
    count(*) filter (state = 'lost') as lost, count(*) filter (attempt = 1 and state = 'succeeded') as first_done,
    count(*) filter (attempt = 1 and state in ('succeeded', 'failed', 'lost')) as first_ended,
    quantile_cont(duration_ms, 0.5) filter (state in ('succeeded', 'failed')) as run_median_ms,
    avg(duration_ms) filter (state in ('succeeded', 'failed')) as run_mean_ms,
    quantile_cont(duration_ms, 0.95) filter (state in ('succeeded', 'failed')) as run_p95_ms,
    coalesce(sum(tokens), 0)::bigint as tokens, sum(cost_uusd)::bigint as cost_uusd
from ends where seq <= $seq and at_us >= $since and at_us < $until

-- From ready to given out. (A task reprioritised while it runs has two rows and is counted twice.)
-- query waits
select quantile_cont(waited, 0.5) / 1000.0 as wait_median_ms, quantile_cont(waited, 0.95) / 1000.0 as wait_p95_ms
from (
    select since - ready_at as waited from tasks
    where state = 'running' and from_seq <= $seq and since >= $since and since < $until and ready_at > 0
)

-- For the counts of the fleet and of each session at once.
-- query states
select session_id, state, container, sum(n)::bigint as n,
    coalesce(sum(n) filter (state = 'done' and claimed), 0)::bigint as claimed
from tasks_summed($unsummed, $seq) group by all

-- Tasks with open parts. Looked up and not joined: by a join all tasks are hashed for the few (30 ms at a million facts).
-- query containers
select state, count(*) as n from tasks
where from_seq <= $seq and to_seq > $seq and proof <> 'parts' and task_id in (
    select unnest(from_json(parents, '["varchar"]')) from specs
    where from_seq <= $seq and to_seq > $seq and part and task_id in (
        select task_id from tasks_moving where from_seq <= $seq and to_seq > $seq
            and state <> 'done' and state <> 'failed' and state <> 'cancelled' and state <> 'quarantined'
    )
)
group by state

-- query runs
select state, count(*) as n from runs_moving
where from_seq <= $seq and to_seq > $seq and ended_at = 0 group by state

-- query used
select * from (
select /*key*/ as key, count(*) as runs, count(*) filter (r.state = 'succeeded') as done,
    count(*) filter (r.state in ('failed', 'lost')) as failed, sum(r.input_tokens)::bigint as input_tokens,
    sum(r.output_tokens)::bigint as output_tokens, sum(r.cache_read_tokens)::bigint as cache_read_tokens,
    sum(r.cache_write_tokens)::bigint as cache_write_tokens, sum(r.tool_calls)::bigint as tool_calls,
    sum(r.cost_uusd)::bigint as cost_uusd, sum(r.duration_ms)::bigint as duration_ms
from runs r left join agents a on a.agent_id = r.agent_id and a.from_seq <= $seq and a.to_seq > $seq
where r.from_seq <= $seq and r.to_seq > $seq
group by key
)
order by coalesce(cost_uusd, 0) desc, input_tokens + output_tokens + cache_read_tokens + cache_write_tokens desc, key
limit $limit
