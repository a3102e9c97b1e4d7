-- Tasks, and why each is in its state. The wording of a task (its spec, its edges) is in specs.sql.

-- interval tasks key task_id final state done failed cancelled quarantined
session_id varchar, title varchar, kind varchar, lane varchar, priority integer, labels varchar[],
state varchar, because varchar, proof varchar, agent_id varchar, run_id varchar,
attempt integer, tries_from bigint, losses integer, max_attempts integer,
retry_at bigint, since bigint, ready_at bigint, born bigint, born_at bigint, plan_id varchar, placed double

-- index task_id

-- sums
select session_id, state, lane, proof = 'parts' as container, proof = 'claimed' as claimed, count(*) as n
from /*rows*/ group by all

-- on task.submitted
select seq, task_id, session_id, spec_title as title, spec_kind as kind, spec_lane as lane, spec_priority as priority,
    spec_labels as labels, state, '' as because, '' as proof, '' as agent_id, '' as run_id,
    0 as attempt, seq as tries_from, 0 as losses, spec_policy_max_attempts as max_attempts,
    0 as retry_at, at_us as since, case state when 'ready' then at_us else 0 end as ready_at,
    seq as born, at_us as born_at, '' as plan_id
from facts

-- A sealed plan makes its staged tasks real, rewords known ones, and tells the states of all it touches.
-- on plan.sealed alone
select f.seq, both_of.task_id, f.session_id, s.title, s.kind, s.lane, s.priority, s.labels,
    case when t.state is distinct from r.state then r.state end as state,
    case when t.state is distinct from r.state then coalesce(s.because, '') end as because,
    case when t.state is distinct from r.state then case r.state when 'done' then 'imported' else '' end end as proof,
    case when t.task_id is null then '' end as agent_id, case when t.task_id is null then '' end as run_id,
    case when t.task_id is null then 0 end as attempt, case when t.task_id is null then f.seq end as tries_from,
    case when t.task_id is null then 0 end as losses, s.max_attempts,
    case when t.task_id is null then 0 end as retry_at,
    case when t.state is distinct from r.state then f.at_us end as since,
    case when t.state is distinct from r.state and r.state = 'ready' then f.at_us
         when t.task_id is null then 0 end as ready_at,
    case when t.task_id is null then f.seq end as born, case when t.task_id is null then f.at_us end as born_at,
    case when s.task_id is not null then f.plan_id end as plan_id
from facts f
join (select plan_id, task_id from staged union select plan_id, task_id from released) both_of using (plan_id)
left join staged s on s.plan_id = f.plan_id and s.task_id = both_of.task_id
left join released r on r.plan_id = f.plan_id and r.task_id = both_of.task_id
left join (select task_id, state from tasks where to_seq = 4611686018427387904) t on t.task_id = both_of.task_id
where s.task_id is not null or t.state is distinct from r.state

-- on task.cancelled
select seq, task_id, 'cancelled' as state, reason as because, at_us as since, 0 as retry_at from facts

-- on task.paused
select seq, task_id, 'paused' as state, reason as because, at_us as since from facts

-- on task.resumed
select seq, task_id, state, '' as because, at_us as since, case state when 'ready' then at_us end as ready_at from facts

-- on task.retried
select seq, task_id, state, '' as because, '' as proof, seq as tries_from, 0 as losses, 0 as retry_at, at_us as since,
    case state when 'ready' then at_us end as ready_at
from facts
union all by name
select seq, task_id, case when list_contains(blocked, task_id) then 'blocked' else 'ready' end as state,
    '' as because, '' as proof, 0 as retry_at, at_us as since
from (select seq, at_us, blocked, unnest(reopened) as task_id from facts)

-- on task.reprioritised
select seq, task_id, priority from facts

-- on task.amended
select seq, task_id, spec_title as title, spec_lane as lane, spec_priority as priority, spec_labels as labels,
    spec_policy_max_attempts as max_attempts
from facts

-- on task.dependency_added alone
select f.seq, f.task_id, f.state, case when t.state <> f.state then '' end as because,
    case when t.state <> f.state then f.at_us end as since
from facts f join tasks t on t.task_id = f.task_id and t.to_seq = 4611686018427387904
union all by name
select seq, unnest(blocked) as task_id, 'blocked' as state, '' as because, at_us as since from facts

-- on task.dependency_removed alone
select f.seq, f.task_id, f.state, case when t.state <> f.state then '' end as because,
    case when t.state <> f.state then f.at_us end as since,
    case when t.state <> f.state and f.state = 'ready' then f.at_us end as ready_at
from facts f join tasks t on t.task_id = f.task_id and t.to_seq = 4611686018427387904
union all by name
select seq, unnest(unblocked) as task_id, 'ready' as state, '' as because, at_us as since, at_us as ready_at from facts

-- What an operator put in the place of the task's age.
-- on task.placed
select seq, task_id, "order" as placed from facts

-- on task.woken
select seq, task_id, 'ready' as state, '' as because, 0 as retry_at, at_us as since, at_us as ready_at from facts

-- on task.rolled_up
select seq, task_id, state, '' as because, 'parts' as proof, at_us as since from facts
union all by name
select seq, freed as task_id, 'ready' as state, at_us as since, at_us as ready_at
from (select *, unnest(unblocked) as freed from facts) where freed <> task_id  -- up to rules 2 it may name itself

-- on task.unblocked
select seq, unnest(unblocked) as task_id, 'ready' as state, '' as because, at_us as since, at_us as ready_at from facts

-- on worker.assigned
select seq, task_id, 'running' as state, '' as because, agent_id, run_id, attempt, 0 as retry_at, at_us as since
from facts

-- on run.succeeded
select seq, task_id, 'done' as state, '' as because,
    case when len(checks) = 0 then 'claimed' else 'verified' end as proof, at_us as since
from facts
union all by name
select seq, unnest(unblocked) as task_id, 'ready' as state, at_us as since, at_us as ready_at from facts

-- on run.failed
select f.seq, f.task_id, f."then" as state, f.error_class || case f.error when '' then '' else ': ' || f.error end as because,
    f.retry_at, f.at_us as since
from facts f

-- on run.interrupted
select seq, task_id, "then" as state, 'interrupted' as because, at_us as since,
    case "then" when 'ready' then at_us end as ready_at
from facts

-- What a worker held when it came anew, left or was lost; a task that is over by then stays as it is.
-- on worker.registered alone
select r.seq, r.task_id, r."then" as state, 'worker ' || r.worker_id || ' was lost' as because, r.retry_at,
    t.losses + 1 as losses, r.at_us as since, case r."then" when 'ready' then r.at_us end as ready_at
from (select seq, at_us, worker_id, unnest(released, recursive := true) from facts) r
join tasks t on t.task_id = r.task_id and t.to_seq = 4611686018427387904
where t.state in ('blocked', 'ready', 'running', 'waiting', 'paused')

-- on worker.lost alone
select r.seq, r.task_id, r."then" as state, 'worker ' || r.worker_id || ' was lost' as because, r.retry_at,
    t.losses + 1 as losses, r.at_us as since, case r."then" when 'ready' then r.at_us end as ready_at
from (select seq, at_us, worker_id, unnest(released, recursive := true) from facts) r
join tasks t on t.task_id = r.task_id and t.to_seq = 4611686018427387904
where t.state in ('blocked', 'ready', 'running', 'waiting', 'paused')

-- on worker.left alone
select r.seq, r.task_id, r."then" as state, 'worker ' || r.worker_id || ' left' as because, r.retry_at,
    r.at_us as since, case r."then" when 'ready' then r.at_us end as ready_at
from (select seq, at_us, worker_id, unnest(released, recursive := true) from facts) r
join tasks t on t.task_id = r.task_id and t.to_seq = 4611686018427387904
where t.state in ('blocked', 'ready', 'running', 'waiting', 'paused')

-- on session.closed alone
select f.seq, t.task_id, 'cancelled' as state, 'session ' || f.session_id || ' was closed' as because,
    f.at_us as since, 0 as retry_at
from facts f
join tasks t on t.session_id = f.session_id and t.to_seq = 4611686018427387904
where t.state in ('blocked', 'ready', 'running', 'waiting', 'paused')

-- What a plan holds until it is sealed or dropped: the wording of its tasks, and the states they will have.
-- append staged
seq bigint, plan_id varchar, task_id varchar, title varchar, kind varchar, lane varchar, priority integer,
labels varchar[], max_attempts integer, because varchar, depends_on varchar[], parents varchar[], needs varchar[],
has_command boolean, spec varchar

-- on task.staged
select seq, plan_id, task_id, spec_title as title, spec_kind as kind, spec_lane as lane, spec_priority as priority,
    spec_labels as labels, spec_policy_max_attempts as max_attempts, spec_because as because,
    spec_depends_on as depends_on, spec_parents as parents,
    spec_needs as needs, spec_command <> '' as has_command, spec
from facts

-- after plan.sealed
delete from staged where plan_id in (select plan_id from facts)

-- after plan.dropped
delete from staged where plan_id in (select plan_id from facts)

-- append released
seq bigint, plan_id varchar, task_id varchar, state varchar

-- on plan.released
select seq, plan_id, unnest(ready) as task_id, 'ready' as state from facts
union all select seq, plan_id, unnest(blocked), 'blocked' from facts
union all select seq, plan_id, unnest(paused), 'paused' from facts
union all select seq, plan_id, unnest(done), 'done' from facts

-- after plan.sealed
delete from released where plan_id in (select plan_id from facts)

-- after plan.dropped
delete from released where plan_id in (select plan_id from facts)

-- query page
select task_id, session_id, title, kind, state, because, lane, priority, proof, agent_id, run_id, attempt, tries_from, losses,
    max_attempts, since, retry_at, born, born_at, labels, plan_id, cost,
    /*keys*/
from (
    select t.*, 0::bigint as cost from (from tasks/*of*/ /*ids*/) t where from_seq <= $seq and to_seq > $seq /*where*/
) t
/*cost*/
where true /*after*/
order by /*order*/
/*limit*/

-- query picks
select task_id, title, state, priority, lane from (from tasks/*ids*/) t
where from_seq <= $seq and to_seq > $seq /*where*/
order by task_id /*limit*/

-- query words
select word, count(*) as n from (select /*word*/ as word from tasks where from_seq <= $seq and to_seq > $seq)
group by word order by n desc, word limit $limit

-- The same where the sums tell apart what is asked for.
-- query by_state_summed
select state, sum(n)::bigint as n from tasks_summed($unsummed, $seq) t where true /*where*/ group by state

-- query by_state
select state, count(*) as n from tasks t where from_seq <= $seq and to_seq > $seq /*where*/ group by state

-- Tasks that are a part of another one, by that one.
-- query parts
select e.after as task_id, count(*) as parts,
    count(*) filter (t.state in ('blocked', 'ready', 'running', 'waiting', 'paused')) as open_parts
from (
    select before, after from (from edges/*ids*/) where seq <= $seq and kind = 'part'
    group by before, after having not arg_max(gone, seq)
) e
join tasks t on t.task_id = e.before and t.from_seq <= $seq and t.to_seq > $seq
group by e.after

-- What the tasks' runs used, and which failed.
-- query used
select task_id, list(born) filter (state = 'failed') as failed, sum(cost_uusd)::bigint as cost_uusd,
    sum(input_tokens + output_tokens + cache_read_tokens + cache_write_tokens)::bigint as tokens
from (from runs/*ids*/) where from_seq <= $seq and to_seq > $seq
group by task_id

-- query steps
select run_id, step, percent, stopping, state, because from runs_moving
where from_seq <= $seq and to_seq > $seq and ended_at = 0 and list_contains($run_ids, run_id)

-- query wording
select task_id, depends_on, parents, needs, has_command from (from specs/*ids*/)
where from_seq <= $seq and to_seq > $seq

-- query spec
select depends_on, parents,
    json_merge_patch(spec, json_object('depends_on', depends_on::json, 'priority', priority))::varchar as spec
from (from specs where task_id = $task_id offset 0) where from_seq <= $seq and to_seq > $seq

-- query links
select task_id, title, state, proof from (from tasks/*ids*/) where from_seq <= $seq and to_seq > $seq

-- query circles
select circle from (select unnest(cycles) as circle from plans where from_seq <= $seq and to_seq > $seq)
