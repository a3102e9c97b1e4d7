-- One command: what was ordered, its facts in words, and what led to it.

-- query command
select seq as command_seq, command_id, actor, tag, kind, target, at_us, deadline, problem
from commands where seq = $command and seq <= $commands_seq

-- query outcome
select max(seq) as events_seq, min(seq) as first, max(stored_us) filter (ended) as stored_us, count(*) as facts,
    coalesce(first(outcome) filter (outcome is not null), case when bool_or(ended) then 'done' else 'pending' end) as outcome,
    coalesce(first(reason) filter (reason is not null), '') as reason
from moments where command_seq = $command and seq <= $seq

-- query facts
select seq, tag as type, says, coalesce(task_id, '') as task_id, coalesce(run_id, '') as run_id,
    coalesce(agent_id, '') as agent_id, coalesce(worker_id, '') as worker_id
from timeline
where seq >= $first and seq <= $last and coalesce(own, true) order by seq

-- The command whose facts gave the run out.
-- query gave_out
select m.command_seq, m.seq from (from runs where run_id = $run_id offset 0) r join moments m on m.seq = r.born
where r.from_seq <= $seq and r.to_seq > $seq

-- query lately
with last as (select seq, tag, at_us from commands where seq <= $commands_seq and seq > $commands_seq - 4000),
orders as (select seq, at_us from last where not list_contains($reports, tag) order by seq desc limit 1000),
decided as (
    select command_seq, max(stored_us) filter (ended) as stored_us, first(outcome) filter (outcome is not null) as outcome
    from moments where seq <= $seq and command_seq > $commands_seq - 4000 group by command_seq
)
select count(*) as orders, count(d.outcome) as refused,
    quantile_cont(d.stored_us - o.at_us, 0.5) as median_us, quantile_cont(d.stored_us - o.at_us, 0.95) as p95_us
from orders o left join decided d on d.command_seq = o.seq
