-- Lanes and their switches. What stands in them is read from tasks and runs.

-- interval lanes key lane
concurrency integer, paused boolean, because varchar, actor varchar, since bigint

-- A log begins with these four; -1 is no limit.
-- on core.genesis
select seq, unnest(['A', 'B', 'C', 'D']) as lane, -1 as concurrency, false as paused, '' as because,
    '' as actor, at_us as since
from facts

-- on lane.configured
select seq, lane, coalesce(concurrency, -1) as concurrency from facts

-- on lane.paused
select seq, lane, true as paused, reason as because, actor, at_us as since from facts

-- on lane.resumed
select seq, lane, false as paused, '' as because, '' as actor, at_us as since from facts

-- query page
with containers as (
    select distinct unnest(from_json(parents, '["varchar"]')) as task_id from specs
    where from_seq <= $seq and to_seq > $seq and part and task_id in (
        select task_id from tasks_moving where from_seq <= $seq and to_seq > $seq
            and state <> 'done' and state <> 'failed' and state <> 'cancelled' and state <> 'quarantined'
    )
),
standing as (
    select lane, count(*) filter (state = 'ready') as ready, count(*) filter (state = 'blocked') as blocked,
        count(*) filter (state = 'waiting') as waiting, count(*) filter (state = 'paused') as held,
        min(since) filter (state = 'ready') as oldest_ready
    from tasks_moving
    where from_seq <= $seq and to_seq > $seq and state in ('ready', 'blocked', 'waiting', 'paused')
        and task_id not in (from containers)
    group by lane
),
under_way as (
    select lane, count(*) as running from runs_moving where from_seq <= $seq and to_seq > $seq and ended_at = 0 group by lane
),
ended as (
    select lane, count(*) filter (state = 'succeeded') as done, count(*) filter (state in ('failed', 'lost')) as failed
    from ends where seq <= $seq and at_us > $since group by lane
)
select l.lane, coalesce(l.paused, false) as paused, coalesce(l.because, '') as paused_because,
    case when l.paused then l.since else 0 end as paused_since, coalesce(l.actor, '') as paused_by,
    nullif(l.concurrency, -1) as concurrency,
    coalesce(s.ready, 0) as ready, coalesce(s.blocked, 0) as blocked, coalesce(u.running, 0) as running,
    coalesce(s.waiting, 0) as waiting, coalesce(s.held, 0) as held, coalesce(s.oldest_ready, 0) as oldest_ready,
    coalesce(e.done, 0) as done_last_hour, coalesce(e.failed, 0) as failed_last_hour
from lanes l left join standing s using (lane) left join under_way u using (lane) left join ended e using (lane)
where l.from_seq <= $seq and l.to_seq > $seq
order by l.lane

-- The rule's own view: paused, limit, runs under way.
-- query rule
select lane, coalesce(paused, false) as paused, nullif(concurrency, -1) as concurrency, coalesce(r.n, 0) as running
from lanes
left join (select lane, count(*) as n from runs_moving
           where ended_at = 0 and from_seq <= $seq and to_seq > $seq group by lane) r using (lane)
where from_seq <= $seq and to_seq > $seq

-- query queue
with containers as (
    select distinct unnest(from_json(parents, '["varchar"]')) as task_id from specs
    where from_seq <= $seq and to_seq > $seq and part and task_id in (
        select task_id from tasks_moving where from_seq <= $seq and to_seq > $seq
            and state <> 'done' and state <> 'failed' and state <> 'cancelled' and state <> 'quarantined'
    )
)
select task_id from tasks_moving
where from_seq <= $seq and to_seq > $seq and state = 'ready' and lane = $lane and task_id not in (from containers)
order by priority, coalesce(placed, born), task_id limit $limit
