-- How a task is worded, and what it depends on and is a part of. Seldom changes: a plan imported again may reword it.

-- interval specs key task_id final spec
depends_on varchar[], parents varchar[], needs varchar[], has_command boolean, spec varchar, born bigint

-- on task.submitted
select seq, task_id, spec_depends_on as depends_on, spec_parents as parents,
    spec_needs as needs, spec_command <> '' as has_command, spec,
    seq as born
from facts

-- on plan.sealed alone
select f.seq, s.task_id, s.depends_on, s.parents, s.needs, s.has_command, s.spec,
    case when known.task_id is null then f.seq end as born
from facts f join staged s on s.plan_id = f.plan_id
left join (select task_id from specs where to_seq = 4611686018427387904) known on known.task_id = s.task_id
