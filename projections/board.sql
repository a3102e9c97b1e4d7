-- The board: tasks by the column and the swimlane they stand in, the foremost of each by name.

-- Most tasks are done: of those only the ones that are it since $least.
-- query foremost
select lane, col, min_by(task_id, (place, task_id), $most) as ids
from (
    select t.task_id, /*lane*/ as lane, t.state as col,
        (t.priority * 1e13 + coalesce(t.placed, t.born))::double as place
    from tasks_moving t where from_seq <= $seq and to_seq > $seq
        and state <> 'done' and state <> 'failed' and state <> 'cancelled' and state <> 'quarantined' /*where*/
    union all
    select t.task_id, /*lane*/ as lane, case t.state when 'quarantined' then 'failed' else t.state end as col,
        (-t.since)::double as place
    from tasks t where from_seq <= $seq and to_seq > $seq and t.state in ('failed', 'cancelled', 'quarantined') /*where*/
    union all
    select t.task_id, /*lane*/ as lane, t.state as col, (-t.since)::double as place
    from tasks t where from_seq <= $seq and to_seq > $seq and t.state = 'done' and t.since >= $least /*where*/
)
group by lane, col

-- query counts
select /*lane*/ as lane, t.state, count(*) as n from tasks t where from_seq <= $seq and to_seq > $seq /*where*/ group by all

-- Open tasks that are made of parts, the most urgent first, with how many of those there are and how many are open.
-- query wholes
select t.task_id, t.title, p.parts, p.open_parts, count(*) over () as total
from (
    select parent, count(*) as parts, count(*) filter (child in ('blocked', 'ready', 'running', 'waiting', 'paused')) as open_parts
    from (select unnest(from_json(s.parents, '["varchar"]')) as parent, c.state as child
          from specs s join tasks c on c.task_id = s.task_id and c.from_seq <= $seq and c.to_seq > $seq
          where s.from_seq <= $seq and s.to_seq > $seq and s.part)
    group by parent
) p
join tasks t on t.task_id = p.parent and t.from_seq <= $seq and t.to_seq > $seq
where t.state in ('blocked', 'ready', 'running', 'waiting', 'paused') /*where*/
order by t.priority, coalesce(t.placed, t.born), t.task_id limit $most
