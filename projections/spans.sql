-- Spans: each run as a stretch of time on a track, with the wait before it. They stand in the runs' and the tasks' own
-- intervals; only orders to a run under way have to be kept with their times.

-- append run_marks
seq bigint, at_us bigint, run_id varchar, what varchar

-- on worker.cancel_ordered
select seq, at_us, run_id, 'stopping' as what from facts

-- on worker.interrupt_ordered
select seq, at_us, run_id, 'stopping' as what from facts

-- on run.held
select seq, at_us, run_id, 'held' as what from facts

-- on run.continued
select seq, at_us, run_id, 'continued' as what from facts

-- The runs that touch the range, as they stood. A run under way ends at the moment itself, as far as anybody knows.
-- query chosen
select r.*, case r.ended_at when 0 then greatest($time, r.assigned_at) else r.ended_at end as until,
    case when r.state in ('failed', 'lost') then 'bad' when r.state in ('assigned', 'running', 'held') then 'live'
        when r.state = 'succeeded' then 'run' else 'cut' end as look
from (
    select * from runs_moving where from_seq <= $seq and to_seq > $seq and ended_at = 0
    union all
    select * from runs where from_seq <= $seq and to_seq > $seq and ended_at >= $since and ended_at > 0
) r
where r.assigned_at < $before /*where*/

-- query count
select count(*) as spans, count(distinct agent_id) as agents, min(assigned_at) as first_at
from (/*chosen*/) r

-- Tracks with what is on them, for the swimlanes' names and their order.
-- query tracks
select /*track*/ as track, any_value(/*group*/) as "group", any_value(title) as title, count(*) as spans,
    count(*) filter (look = 'bad') as bad, min(assigned_at) as first_at, arg_max(state, born) as state
from (/*chosen*/) r group by track

-- A page of the tracks by task, in the order in which they are drawn, and how many there are.
-- query tracks_by_task
select r.task_id as track, any_value(r.session_id) as "group", any_value(title) as title, count(*) as spans,
    count(*) filter (look = 'bad') as bad, min(assigned_at) as first_at, arg_max(state, born) as state
from (/*chosen*/) r
join (
    select task_id, any_value(session_id) as session_id, min(assigned_at) as first_at from (/*chosen*/) r
    group by task_id order by any_value(session_id), min(assigned_at), task_id limit $most offset $skip
) page using (task_id)
group by r.task_id order by any_value(r.session_id), min(assigned_at), r.task_id

-- query count_by_task
select count(distinct task_id) as tracks from (/*chosen*/) r

-- Pieces of tracks by columns of a drawing: spans that share a column or stand in neighbouring ones become one piece.
-- No track holds two spans at once, so of spans in order of their beginning the ends are in order, too.
-- query pieces
with placed as (
    select t.place, case r.look when 'bad' then 'run' else r.look end as look,
        greatest(0, (r.assigned_at - $since) // $step)::integer as x,
        least($columns, (r.until - $since) // $step + 1)::integer as x2,
        r.look = 'bad' and r.until < $before as bad
    from (/*chosen*/) r
    join (select unnest($tracks::varchar[]) as track, generate_subscripts($tracks::varchar[], 1) - 1 as place) t
        on t.track = /*track*/
),
columns as (
    select place, look, x, max(x2) as x2 from placed group by place, look, x
    union all
    select distinct place, 'end', greatest(0, x2 - 1), greatest(0, x2 - 1) + 1 from placed where bad
),
edges as (
    select place, look, x, x2, coalesce(x > lag(x2) over track, true) as opens,
        coalesce(lead(x) over track > x2, true) as closes
    from columns where x2 > x
    window track as (partition by place, look order by x)
)
select place::integer as place, look, list(x order by x) filter (opens) as x,
    list(x2 order by x) filter (closes) as x2
from edges group by place, look order by place, look

-- The same spans one by one, newest first or oldest first.
-- query rows
select r.run_id, r.task_id, r.session_id, r.title, r.agent_id, r.worker_id, r.lane, r.attempt, r.state, r.stopping,
    r.look, r.assigned_at, r.started_at, r.ended_at, r.until, r.duration_ms,
    r.step, r.input_tokens, r.output_tokens, r.cache_read_tokens, r.cache_write_tokens, r.tool_calls, r.cost_uusd,
    r.error_class, r.error, r.summary, r.born
from (select * from (/*chosen*/) where true /*page*/) r
order by /*order*/

-- Since when the task of each of these runs had been ready when it was given out: a run is born by the fact that makes
-- its task running.
-- query ready
select from_seq as born, ready_at from tasks
where state = 'running' and from_seq >= $first and from_seq <= $last and ready_at > 0

-- All of them as columns, in order of their beginning: milliseconds since $since, differences where they are small.
-- query columns
with placed as (
    select t.place, r.born, r.look, r.run_id, r.assigned_at, r.started_at, r.until, k.ready_at,
        lag(r.until) over (partition by t.place order by r.assigned_at) as free_at
    from (/*chosen*/) r
    join (select unnest($tracks::varchar[]) as track, generate_subscripts($tracks::varchar[], 1) - 1 as place) t on t.track = /*track*/
    left join (select from_seq, ready_at from tasks where state = 'running' and from_seq <= $seq) k on k.from_seq = r.born
    order by r.born
)
select list(place::integer) as track, list(born - before_born) as born, list(start - before_start) as start,
    list(took) as took, list(lead) as lead, list(wait) as wait, list(look::integer) as look
from (
    select place, born, start, coalesce(lag(born) over (order by born), 0) as before_born,
        coalesce(lag(start) over (order by born), 0) as before_start, took, lead, wait, look
    from (
        select place, born, (assigned_at - $since) // 1000 as start, (until - assigned_at) // 1000 as took,
            case started_at when 0 then 0 else (started_at - assigned_at) // 1000 end as lead,
            case when ready_at > 0 then greatest(0, assigned_at - greatest(ready_at, coalesce(free_at, 0))) // 1000
                else 0 end as wait,
            list_position(['run', 'live', 'bad', 'cut'], look) - 1 as look
        from placed
    )
    order by born
)

-- Within runs: since when one was told to stop or was held, and until when.
-- query parts
select m.run_id, m.what, m.at_us as since,
    coalesce(least(lead(m.at_us) over (partition by m.run_id order by m.seq), r.until), r.until) as until,
    r.born, /*track*/ as track
from run_marks m join (/*chosen*/) r on r.run_id = m.run_id
where m.seq <= $seq
order by m.seq limit $most

-- How many ran and how many were ready, at each change; changes within $step are one.
-- query levels
with spans as (
    select r.assigned_at, r.ended_at, r.until, coalesce(k.ready_at, 0) as ready_at
    from (/*chosen*/) r
    left join (select from_seq, ready_at from tasks where state = 'running' and from_seq <= $seq) k on k.from_seq = r.born
),
steps as (
    select greatest(assigned_at, $since) as at_us, 1 as running, 0 as ready from spans
    union all select until, -1, 0 from spans where ended_at > 0
    union all select greatest(ready_at, $since), 0, 1 from spans where ready_at > 0
    union all select greatest(assigned_at, $since), 0, -1 from spans where ready_at > 0
),
summed as (
    select (at_us - $since) // $step as step, sum(running) as running, sum(ready) as ready from steps
    where at_us < $before group by step
)
select $since + step * $step as at_us, sum(running) over (order by step)::bigint as running,
    sum(ready) over (order by step)::bigint as ready
from summed order by step

-- The names that can be chosen from.
-- query names
select 'lane' as kind, lane as name from lanes where from_seq <= $seq and to_seq > $seq
union all select 'session', session_id from sessions where from_seq <= $seq and to_seq > $seq
union all select * from (
    select 'agent', agent_id from agents where from_seq <= $seq and to_seq > $seq order by agent_id limit $most
)
order by kind, name

-- query one
select run_id from runs where born = $born and from_seq <= $seq limit 1
