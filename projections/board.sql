-- The board: tasks by the column and the swimlane they stand in, the foremost of each by name.

-- query cells
select lane, col, count(*) as n, min_by(task_id, place, $most) as ids
from (
    select t.task_id, /*lane*/ as lane, case t.state when 'quarantined' then 'failed' else t.state end as col,
        case when t.state in ('done', 'cancelled', 'failed', 'quarantined') then -t.since
             else t.priority * 1e13 + coalesce(t.placed, t.born) end::double as place
    from tasks t where from_seq <= $seq and to_seq > $seq /*where*/
)
group by lane, col
