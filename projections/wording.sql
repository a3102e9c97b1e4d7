-- How a task is worded, and how it was before: each row from the fact that worded it so.

-- query all
select s.from_seq as seq,
    json_merge_patch(s.spec, json_object('depends_on', s.depends_on::json, 'priority', s.priority))::varchar as spec, coalesce(any_value(t.at_us), 0) as "at", coalesce(any_value(t.actor), '') as "by"
from (from specs where task_id = $task_id offset 0) s left join timeline t on t.seq = s.from_seq
where s.from_seq <= $seq
group by s.from_seq, s.spec, s.depends_on, s.priority
order by s.from_seq
