-- What is different between two moments, $first and $second (EVENTS sequences, the earlier one first).

-- Tasks whose state is another one. Only those that moved in between can be.
-- query moved
with touched as (select distinct task_id from tasks where from_seq > $first and from_seq <= $second),
before as (
    select t.task_id, t.state from tasks t join touched using (task_id) where t.from_seq <= $first and t.to_seq > $first
)
select a.task_id, a.title, a.lane, coalesce(b.state, '') as was, a.state, a.proof, a.because, a.since
from tasks a join touched using (task_id) left join before b on b.task_id = a.task_id
where a.from_seq <= $second and a.to_seq > $second and b.state is distinct from a.state

-- query moves
select was, case when state = 'done' and proof = 'claimed' then 'claimed' else state end as state, count(*) as n
from (/*moved*/) group by all order by n desc, was, state

-- query moved_tasks
select * from (/*moved*/) order by case state when 'quarantined' then 0 when 'failed' then 1 when 'done' then 3 else 2 end,
    since desc, task_id limit $limit

-- query states
select state, count(*) as n from tasks where from_seq <= $seq and to_seq > $seq group by state

-- query used
select count(*) as runs, count(*) filter (ended_at = 0) as under_way, coalesce(sum(cost_uusd), 0)::bigint as cost_uusd,
    coalesce(sum(input_tokens + output_tokens + cache_read_tokens + cache_write_tokens), 0)::bigint as tokens
from runs where from_seq <= $seq and to_seq > $seq

-- query ended
select state, count(*) as n from ends where seq > $first and seq <= $second group by state order by n desc, state

-- query agents
with touched as (select distinct agent_id from agents where from_seq > $first and from_seq <= $second)
select a.agent_id, coalesce(b.present, false) as was_present, coalesce(b.paused, false) as was_paused,
    a.present, a.paused, a.because
from agents a join touched using (agent_id)
left join agents b on b.agent_id = a.agent_id and b.from_seq <= $first and b.to_seq > $first
where a.from_seq <= $second and a.to_seq > $second
    and (b.present is distinct from a.present or b.paused is distinct from a.paused)
order by a.agent_id limit $limit

-- query facts
select tag, count(*) as n, min(seq) as seq, bool_or(coalesce(failed, false)) as failed from timeline
where seq > $first and seq <= $second and coalesce(own, true) group by tag order by n desc, tag

-- query orders
select c.tag, c.target, c.actor, c.at_us, c.seq
from commands c
where c.seq > $first_command and c.seq <= $second_command and not list_contains($reports, c.tag)
order by c.seq desc limit $limit
