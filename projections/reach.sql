-- How far a task reaches: what it needs, and what needs it, step by step.

-- Every edge that begins or ends at one of some tasks. (Unnested and joined: a quarter of the time of asking each list
-- whether it has any of them.)
-- query around
select task_id as after, unnest(depends_on) as before from specs
where from_seq <= $seq and to_seq > $seq and task_id in (select unnest($ids))
union all
select unnest(parents) as after, task_id as before from specs
where from_seq <= $seq and to_seq > $seq and task_id in (select unnest($ids))
union all
select after, before from (
    select task_id as after, unnest(depends_on) as before from specs
    where from_seq <= $seq and to_seq > $seq and len(depends_on) > 0
)
where before in (select unnest($ids))
union all
select after, before from (
    select unnest(parents) as after, task_id as before from specs
    where from_seq <= $seq and to_seq > $seq and len(parents) > 0
)
where after in (select unnest($ids))

-- query size
select count(*) as n from specs where from_seq <= $seq and to_seq > $seq
