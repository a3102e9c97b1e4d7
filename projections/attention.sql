-- What needs a person. Rank 0 comes first.

-- query broken
select task_id, title, state, because, since, run_id, losses from tasks
where from_seq <= $seq and to_seq > $seq and state = 'quarantined'
union all by name
select task_id, title, state, because, since, run_id, losses from tasks
where from_seq <= $seq and to_seq > $seq and state = 'failed' and proof <> 'parts'
order by state desc, since limit $limit

-- Blocked tasks that wait for these.
-- query holds
select before as task_id, count(*) as holds
from (
    select before, after from (from edges where list_contains($ids, before) offset 0)
    where seq <= $seq and kind = 'need' group by before, after having not arg_max(gone, seq)
) e
join tasks_moving t on t.task_id = e.after and t.from_seq <= $seq and t.to_seq > $seq and t.state = 'blocked'
group by before

-- query circles
select plan_id, since, circle from (
    select plan_id, since, unnest(cycles) as circle from plans where from_seq <= $seq and to_seq > $seq and len(cycles) > 0
)
where exists (
    select 1 from tasks_moving t where t.from_seq <= $seq and t.to_seq > $seq and t.state = 'blocked'
        and list_contains(circle, t.task_id)
)
limit $limit

-- query dropped
select plan_id, session_id, because, since from plans
where from_seq <= $seq and to_seq > $seq and state = 'dropped' and actor not like '~%' and since > $recent
order by since desc limit $limit

-- Most tasks need nothing special: those that do are looked up, not all of them.
-- query waiting
with special as (
    select task_id, needs, has_command from specs
    where from_seq <= $seq and to_seq > $seq and special
)
select coalesce(s.needs, '[]') as needs, coalesce(s.has_command, false) as has_command, t.lane, count(*) as tasks,
    min(t.since) as since, arg_min(t.task_id, t.born) as task_id, arg_min(t.title, t.born) as title
from tasks_moving t left join special s on s.task_id = t.task_id
where t.from_seq <= $seq and t.to_seq > $seq and t.state = 'ready'
group by all

-- query paused
select 'task' as kind, task_id as id, title as title, because, since from tasks_moving
where from_seq <= $seq and to_seq > $seq and state = 'paused' and since < $long_ago
union all
select 'lane', lane, 'lane ' || lane, because, since from lanes
where from_seq <= $seq and to_seq > $seq and paused and since < $long_ago
union all
select 'agent', agent_id, agent_id, because, since from agents
where from_seq <= $seq and to_seq > $seq and paused and present and since < $long_ago
order by since limit $limit
