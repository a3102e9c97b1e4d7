-- What needs a person. Rank 0 comes first.

-- query broken
select t.task_id, t.title, t.state, t.because, t.since, t.run_id, t.losses,
    (select count(*) from specs s join tasks d on d.task_id = s.task_id and d.from_seq <= $seq and d.to_seq > $seq
     where s.from_seq <= $seq and s.to_seq > $seq and list_contains(s.depends_on, t.task_id)
         and d.state = 'blocked') as holds
from (
    select * from tasks where from_seq <= $seq and to_seq > $seq and state in ('failed', 'quarantined')
        and proof <> 'parts'
    order by state desc, since limit $limit
) t

-- query circles
select plan_id, since, circle from (
    select plan_id, since, unnest(cycles) as circle from plans where from_seq <= $seq and to_seq > $seq and len(cycles) > 0
)
where exists (
    select 1 from tasks t where t.from_seq <= $seq and t.to_seq > $seq and t.state = 'blocked'
        and list_contains(circle, t.task_id)
)
limit $limit

-- query dropped
select plan_id, session_id, because, since from plans
where from_seq <= $seq and to_seq > $seq and state = 'dropped' and actor not like '~%' and since > $recent
order by since desc limit $limit

-- query waiting
select s.needs, s.has_command, t.lane, count(*) as tasks, min(t.since) as since, arg_min(t.task_id, t.born) as task_id
from tasks t join specs s on s.task_id = t.task_id and s.from_seq <= $seq and s.to_seq > $seq
where t.from_seq <= $seq and t.to_seq > $seq and t.state = 'ready'
group by s.needs, s.has_command, t.lane

-- query paused
select 'task' as kind, task_id as id, title as title, because, since from tasks
where from_seq <= $seq and to_seq > $seq and state = 'paused' and since < $long_ago
union all
select 'lane', lane, 'lane ' || lane, because, since from lanes
where from_seq <= $seq and to_seq > $seq and paused and since < $long_ago
union all
select 'agent', agent_id, agent_id, because, since from agents
where from_seq <= $seq and to_seq > $seq and paused and present and since < $long_ago
order by since limit $limit
