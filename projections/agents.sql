-- Agents as they come, go and are paused. Whether one is busy is read from its runs.

-- interval agents key agent_id
worker_id varchar, name varchar, adapter varchar, model varchar, pool varchar, capabilities varchar[],
present boolean, paused boolean, because varchar, since bigint

-- A worker that registers brings its agents; those it had before and no longer names are gone. A pause outlives both.
-- on worker.registered alone
select f.seq, coalesce(n.agent_id, a.agent_id) as agent_id, f.worker_id, n.name, n.adapter, n.model, n.pool,
    n.capabilities, n.agent_id is not null as present, f.at_us as since,
    case when a.agent_id is null then false end as paused, case when a.agent_id is null then '' end as because
from (select worker_id || '/' || name as agent_id, *
      from (select worker_id, unnest(agents, recursive := true) from facts)) n
full join (select * from agents where to_seq = 4611686018427387904
           and worker_id in (select worker_id from facts)) a on a.agent_id = n.agent_id
cross join facts f

-- on worker.left alone
select f.seq, a.agent_id, false as present, f.at_us as since
from facts f join agents a on a.worker_id = f.worker_id and a.to_seq = 4611686018427387904 and a.present

-- on worker.lost alone
select f.seq, a.agent_id, false as present, f.at_us as since
from facts f join agents a on a.worker_id = f.worker_id and a.to_seq = 4611686018427387904 and a.present

-- on worker.grown alone
select f.seq, f.worker_id || '/' || f.name as agent_id, f.worker_id, f.name, f.adapter, f.model, f.pool, f.capabilities,
    true as present, f.at_us as since,
    case when a.agent_id is null then false end as paused, case when a.agent_id is null then '' end as because
from (select seq, at_us, worker_id, unnest(agents, recursive := true) from facts) f
left join agents a on a.agent_id = f.worker_id || '/' || f.name and a.to_seq = 4611686018427387904

-- on agent.paused
select seq, agent_id, true as paused, reason as because, at_us as since from facts

-- on agent.resumed
select seq, agent_id, false as paused, '' as because, at_us as since from facts

-- query page
with under_way as (
    select agent_id, arg_max(run_id, born) as run_id, min(assigned_at) as assigned_at,
        bool_or(state = 'held' and stopping = '') as run_held,
        coalesce(max(last_at) filter (state = 'held' and stopping = ''), 0) as held_at
    from runs_moving
    where from_seq <= $seq and to_seq > $seq and ended_at = 0 group by agent_id
)
select a.agent_id, a.worker_id, a.name, a.adapter, a.model, a.pool, a.capabilities, a.present, a.paused, a.because,
    a.since, w.state as worker_state, w.since as worker_since, coalesce(w.epoch, 0) as epoch, coalesce(u.run_id, '') as run_id,
    coalesce(u.assigned_at, 0) as assigned_at, coalesce(u.run_held, false) as run_held,
    coalesce(u.held_at, 0) as held_at
from agents a
left join workers w on w.worker_id = a.worker_id and w.from_seq <= $seq and w.to_seq > $seq
left join under_way u on u.agent_id = a.agent_id
where a.from_seq <= $seq and a.to_seq > $seq /*where*/
order by a.worker_id, length(a.name), a.name

-- Tokens of each kind that were told without a price stand apart, to be priced by the table.
-- query totals
select agent_id, sum(n)::bigint as runs, coalesce(sum(n) filter (state = 'succeeded'), 0)::bigint as done,
    coalesce(sum(n) filter (state in ('failed', 'lost')), 0)::bigint as failed, max(ended_at) as last_ended,
    max(last_at) as last_at, coalesce(sum(n) filter (state in ('succeeded', 'failed')), 0)::bigint as timed,
    coalesce(sum(duration_ms) filter (state in ('succeeded', 'failed')), 0)::bigint as timed_ms,
    sum(input_tokens + output_tokens + cache_read_tokens + cache_write_tokens)::bigint as tokens,
    coalesce(sum(n) filter (told), 0)::bigint as priced, coalesce(sum(cost_uusd), 0)::bigint as cost_uusd,
    coalesce(sum(input_tokens) filter (not told), 0)::bigint as input_tokens,
    coalesce(sum(output_tokens) filter (not told), 0)::bigint as output_tokens,
    coalesce(sum(cache_read_tokens) filter (not told), 0)::bigint as cache_read_tokens,
    coalesce(sum(cache_write_tokens) filter (not told), 0)::bigint as cache_write_tokens
from runs_summed($unsummed, $seq) where true /*where*/
group by agent_id

-- The last two words on usage of each run: totals, so that what lies between them is one call of the model.
-- query usage
select run_id, usage from (
    select run_id, usage, row_number() over (partition by run_id order by seq desc) as back from observations
    where seq <= $observations_seq and stored_us >= $since and kind = 'usage' and usage is not null
        and list_contains($run_ids, run_id)
)
where back <= 2 order by run_id, back

-- What a roster in memory begins with.
-- query standing
select * exclude (to_seq) from agents where from_seq <= $seq and to_seq > $seq

-- query under_way
select * exclude (to_seq) from runs_moving where from_seq <= $seq and to_seq > $seq and ended_at = 0

-- query was
select since as at, present, paused, because from agents
where agent_id = $agent_id and from_seq <= $seq order by from_seq

-- query worked
select run_id, title, state, assigned_at, ended_at from runs
where agent_id = $agent_id and from_seq <= $seq and to_seq > $seq and (ended_at = 0 or ended_at > $since)
order by assigned_at
