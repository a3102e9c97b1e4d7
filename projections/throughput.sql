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
