-- How far a task reaches: what it needs, and what needs it, step by step.

-- Every edge that began or ended: a need before the task that needs it, a part before its container.
-- append edges
seq bigint, before varchar, after varchar, kind varchar, gone boolean

-- index before after

-- on task.submitted
select seq, unnest(spec_depends_on) as before, task_id as after, 'need' as kind, false as gone from facts
union all
select seq, task_id, unnest(spec_parents), 'part', false from facts

-- on task.dependency_added
select seq, "on" as before, task_id as after, 'need' as kind, false as gone from facts

-- on task.dependency_removed
select seq, "on" as before, task_id as after, 'need' as kind, true as gone from facts

-- A sealed plan may word known tasks anew: what they no longer name is gone.
-- on plan.sealed alone
with worded as (
    select f.seq, unnest(s.depends_on) as before, s.task_id as after, 'need' as kind
    from facts f join staged s using (plan_id)
    union all
    select f.seq, s.task_id, unnest(s.parents), 'part' from facts f join staged s using (plan_id)
),
known as (
    select f.seq, o.task_id, from_json(o.depends_on, '["varchar"]') as depends_on, from_json(o.parents, '["varchar"]') as parents
    from facts f join staged s using (plan_id)
    join specs o on o.task_id = s.task_id and o.to_seq = 4611686018427387904
),
stood as (
    select seq, unnest(depends_on) as before, task_id as after, 'need' as kind from known
    union all
    select seq, task_id, unnest(parents), 'part' from known
)
select *, false as gone from (from worded except from stood)
union all
select *, true from (from stood except from worded)

-- Each way by its own index. (Why offset 0: ``only`` in store.py.)
-- query around
select distinct before, after from (
    select before, after, kind, gone, seq from (from edges where list_contains($ids, before) offset 0) where seq <= $seq
    union all
    select before, after, kind, gone, seq from (from edges where list_contains($ids, after) offset 0) where seq <= $seq
)
group by before, after, kind having not arg_max(gone, seq)

-- query needed_by
select after as task_id from (from edges where before = $task_id offset 0) where seq <= $seq and kind = 'need'
group by after having not arg_max(gone, seq) order by max(seq), after

-- query parts
select before as task_id from (from edges where after = $task_id offset 0) where seq <= $seq and kind = 'part'
group by before having not arg_max(gone, seq) order by max(seq), before

-- query size
select count(*) as n from edges where seq <= $seq
