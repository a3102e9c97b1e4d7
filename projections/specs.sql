-- How a task is worded, and what it depends on and is a part of. Seldom changes. ``part``: it is one; ``special``: not
-- every agent will do. Few are, and a column of bits that are all alike costs a scan nothing. Lists are kept as JSON: of
-- a column of lists each row that is looked up takes DuckDB as long as eight whole rows without one.

-- interval specs key task_id final spec
depends_on varchar, parents varchar, needs varchar, has_command boolean, part boolean, special boolean,
priority integer, spec varchar, born bigint

-- index task_id

-- on task.submitted
select seq, task_id, to_json(spec_depends_on)::varchar as depends_on, to_json(spec_parents)::varchar as parents,
    to_json(spec_needs)::varchar as needs, spec_command <> '' as has_command, len(spec_parents) > 0 as part,
    len(spec_needs) > 0 or spec_command <> '' as special, spec_priority as priority, spec, seq as born
from facts

-- on task.amended
select seq, task_id, to_json(spec_needs)::varchar as needs, spec_command <> '' as has_command,
    len(spec_needs) > 0 or spec_command <> '' as special, spec_priority as priority, spec
from facts

-- Two things change without the whole wording being told: their columns hold, not what stands in the spec's text.
-- on task.reprioritised
select seq, task_id, priority from facts

-- on task.dependency_added alone
select f.seq, f.task_id, to_json(list_append(from_json(s.depends_on, '["varchar"]'), f."on"))::varchar as depends_on
from facts f join specs s on s.task_id = f.task_id and s.to_seq = 4611686018427387904

-- on task.dependency_removed alone
select f.seq, f.task_id, to_json(list_filter(from_json(s.depends_on, '["varchar"]'), lambda each: each <> f."on"))::varchar as depends_on
from facts f join specs s on s.task_id = f.task_id and s.to_seq = 4611686018427387904

-- on plan.sealed alone
select f.seq, s.task_id, to_json(s.depends_on)::varchar as depends_on, to_json(s.parents)::varchar as parents,
    to_json(s.needs)::varchar as needs, s.has_command, len(s.parents) > 0 as part,
    len(s.needs) > 0 or s.has_command as special, s.priority, s.spec,
    case when known.task_id is null then f.seq end as born
from facts f join staged s on s.plan_id = f.plan_id
left join (select task_id from specs where to_seq = 4611686018427387904) known on known.task_id = s.task_id
