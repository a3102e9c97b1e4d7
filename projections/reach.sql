-- How far a task reaches: what it needs, and what needs it, step by step.

-- The wordings of some tasks, and of those that need one of them or are a part of one.
-- query around
select task_id, depends_on, parents from specs
where from_seq <= $seq and to_seq > $seq /*ids*/
union
select task_id, depends_on, parents from specs
where from_seq <= $seq and to_seq > $seq and len(depends_on) + len(parents) > 0
    and (list_has_any(depends_on, $ids) or list_has_any(parents, $ids))

-- query size
select count(*) as n from specs where from_seq <= $seq and to_seq > $seq
