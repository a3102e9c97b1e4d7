-- Attempts: where each stood at any moment, and what it used.

-- interval runs key run_id final state succeeded failed interrupted cancelled lost
task_id varchar, session_id varchar, title varchar, agent_id varchar, worker_id varchar, epoch bigint, lane varchar,
attempt integer, state varchar, because varchar, stopping varchar, step varchar, percent integer,
input_tokens bigint, output_tokens bigint, cache_read_tokens bigint, cache_write_tokens bigint, tool_calls bigint,
cost_uusd bigint, files varchar[], checks varchar[], error_class varchar, error varchar, exit_code bigint,
summary varchar, artifacts varchar, duration_ms bigint, assigned_at bigint, started_at bigint, ended_at bigint, last_at bigint,
born bigint

-- index run_id task_id

-- ``hour``: the one it ended in, counted from 1970; 0 while it is under way. ``told``: what it cost; ``silent``: of tokens.
-- sums
select agent_id, session_id, lane, state, ended_at // 3600000000 as hour, cost_uusd is not null as told,
    input_tokens + output_tokens + cache_read_tokens + cache_write_tokens = 0 as silent, count(*) as n,
    sum(input_tokens)::bigint as input_tokens, sum(output_tokens)::bigint as output_tokens,
    sum(cache_read_tokens)::bigint as cache_read_tokens, sum(cache_write_tokens)::bigint as cache_write_tokens,
    sum(tool_calls)::bigint as tool_calls, sum(cost_uusd)::bigint as cost_uusd, sum(duration_ms)::bigint as duration_ms,
    max(ended_at) as ended_at, max(last_at) as last_at
from /*rows*/ group by all

-- on worker.assigned
select seq, run_id, task_id, session_id, title, agent_id, worker_id, epoch, lane, attempt, 'assigned' as state,
    '' as because, '' as stopping, '' as step, 0 as input_tokens, 0 as output_tokens, 0 as cache_read_tokens,
    0 as cache_write_tokens, 0 as tool_calls, [] as files, [] as checks, '' as error_class, '' as error,
    '' as summary, '[]' as artifacts, 0 as duration_ms, at_us as assigned_at, 0 as started_at, 0 as ended_at, at_us as last_at,
    seq as born
from facts

-- on run.started
select seq, run_id, case when held then null else 'running' end as state, at_us as started_at, at_us as last_at
from facts

-- on run.held
select seq, run_id, 'held' as state, 'held by ' || actor || case reason when '' then '' else ': ' || reason end as because,
    at_us as last_at
from facts

-- on run.continued
select seq, run_id, state, '' as because, at_us as last_at from facts

-- Usage and files are totals so far; a report that names none leaves what was known.
-- on run.progressed
select seq, run_id, nullif(step, '') as step, percent, nullif(usage_input_tokens, 0) as input_tokens,
    nullif(usage_output_tokens, 0) as output_tokens, nullif(usage_cache_read_tokens, 0) as cache_read_tokens,
    nullif(usage_cache_write_tokens, 0) as cache_write_tokens, nullif(usage_tool_calls, 0) as tool_calls,
    usage_cost_uusd as cost_uusd, nullif(files, []) as files, at_us as last_at
from facts

-- on run.succeeded
select seq, run_id, 'succeeded' as state, '' as because, '' as stopping, 100 as percent,
    nullif(usage_input_tokens, 0) as input_tokens,
    nullif(usage_output_tokens, 0) as output_tokens, nullif(usage_cache_read_tokens, 0) as cache_read_tokens,
    nullif(usage_cache_write_tokens, 0) as cache_write_tokens, nullif(usage_tool_calls, 0) as tool_calls,
    usage_cost_uusd as cost_uusd, nullif(files, []) as files,
    to_json(artifacts)::varchar as artifacts, checks, exit_code, summary, duration_ms,
    at_us as ended_at, at_us as last_at
from facts

-- on run.failed
select seq, run_id, 'failed' as state, '' as because, '' as stopping, nullif(usage_input_tokens, 0) as input_tokens,
    nullif(usage_output_tokens, 0) as output_tokens, nullif(usage_cache_read_tokens, 0) as cache_read_tokens,
    nullif(usage_cache_write_tokens, 0) as cache_write_tokens, nullif(usage_tool_calls, 0) as tool_calls,
    usage_cost_uusd as cost_uusd, nullif(files, []) as files,
    to_json(artifacts)::varchar as artifacts, error_class, error, exit_code, duration_ms,
    at_us as ended_at, at_us as last_at
from facts

-- on run.interrupted
select seq, run_id, 'interrupted' as state, '' as because, '' as stopping, nullif(usage_input_tokens, 0) as input_tokens,
    nullif(usage_output_tokens, 0) as output_tokens, nullif(usage_cache_read_tokens, 0) as cache_read_tokens,
    nullif(usage_cache_write_tokens, 0) as cache_write_tokens, nullif(usage_tool_calls, 0) as tool_calls,
    usage_cost_uusd as cost_uusd, nullif(files, []) as files,
    to_json(artifacts)::varchar as artifacts, duration_ms, at_us as ended_at, at_us as last_at
from facts

-- on run.stopped
select seq, run_id, 'cancelled' as state, '' as because, '' as stopping, nullif(usage_input_tokens, 0) as input_tokens,
    nullif(usage_output_tokens, 0) as output_tokens, nullif(usage_cache_read_tokens, 0) as cache_read_tokens,
    nullif(usage_cache_write_tokens, 0) as cache_write_tokens, nullif(usage_tool_calls, 0) as tool_calls,
    usage_cost_uusd as cost_uusd, nullif(files, []) as files,
    to_json(artifacts)::varchar as artifacts, duration_ms, at_us as ended_at, at_us as last_at
from facts

-- on worker.cancel_ordered
select seq, run_id, 'cancel' as stopping from facts

-- on worker.interrupt_ordered
select seq, run_id, 'interrupt' as stopping from facts

-- on worker.halt_ordered alone
select f.seq, r.run_id, 'interrupt' as stopping
from facts f join runs r on r.worker_id = f.worker_id and r.to_seq = 4611686018427387904
where r.ended_at = 0 and r.stopping <> 'cancel'

-- on worker.registered
select seq, run_id, case "then" when 'cancelled' then 'cancelled' else 'lost' end as state, '' as because, '' as stopping,
    at_us as ended_at
from (select seq, at_us, unnest(released, recursive := true) from facts)

-- on worker.lost
select seq, run_id, case "then" when 'cancelled' then 'cancelled' else 'lost' end as state, '' as because, '' as stopping,
    at_us as ended_at
from (select seq, at_us, unnest(released, recursive := true) from facts)

-- on worker.left
select seq, run_id, case "then" when 'cancelled' then 'cancelled' else 'interrupted' end as state, '' as because, '' as stopping,
    at_us as ended_at
from (select seq, at_us, unnest(released, recursive := true) from facts)

-- query page
select r.run_id, r.task_id, r.session_id, r.title, r.agent_id, r.worker_id, r.lane, r.attempt, r.state, r.because, r.stopping,
    r.step, r.percent, r.input_tokens, r.output_tokens, r.cache_read_tokens, r.cache_write_tokens, r.tool_calls,
    r.cost_uusd, r.files, r.artifacts, r.checks, r.error_class, r.error, r.exit_code, r.summary, r.duration_ms, r.assigned_at,
    r.started_at, r.ended_at, r.last_at, r.born, r.from_seq as seq, coalesce(a.adapter, '') as adapter, coalesce(a.model, '') as model
from (
    select * from (from runs/*of*/ /*ids*/) r where from_seq <= $seq and to_seq > $seq /*where*/ /*before*/ order by born desc /*limit*/
) r
left join agents a on a.agent_id = r.agent_id and a.from_seq <= $seq and a.to_seq > $seq
order by r.born desc

-- query count
select count(*) as n from (from runs/*of*/ /*ids*/) r where from_seq <= $seq and to_seq > $seq /*where*/

-- query span
select min(stored_us) as first, max(stored_us) as last from moments where seq in ($born, $seq)

-- query stages
select r.from_seq as seq, r.state, r.stopping, m.at_us
from (from runs where run_id = $run_id offset 0) r join moments m on m.seq = r.from_seq
where r.from_seq <= $seq order by r.from_seq

-- query last_seen
select run_id, max(at_us) as at_us from observations
where seq <= $observations_seq and stored_us >= $since and run_id in (select unnest($run_ids)) group by run_id
