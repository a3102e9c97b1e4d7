-- The record in words: a row for each fact, and one more for each task a fact about something else moved (own: false).

-- append timeline
seq bigint, at_us bigint, tag varchar, actor varchar, command_seq bigint, session_id varchar, task_id varchar,
run_id varchar, agent_id varchar, worker_id varchar, lane varchar, says varchar, failed boolean, own boolean

-- on core.genesis
select seq, at_us, tag, actor, command_seq, 'the log begins, rules ' || rules as says from facts

-- on core.rules_adopted
select seq, at_us, tag, actor, command_seq, 'rules ' || rules || ' are in force' as says from facts

-- on core.clock_suspected
select seq, at_us, tag, actor, command_seq, true as failed,
    format('time jumped {:.0f} s ahead: time-outs stop until somebody looks', ahead_s) as says
from facts

-- on core.clock_trusted
select seq, at_us, tag, actor, command_seq, 'the clock is trusted again' as says from facts

-- on core.halted
select seq, at_us, tag, actor, command_seq,
    'the fleet is halted' || case when gently then ', what runs, runs on' else '' end
    || case reason when '' then '' else ': ' || reason end as says
from facts

-- on core.released
select seq, at_us, tag, actor, command_seq, 'the fleet goes on' as says from facts

-- on session.amended
select seq, at_us, tag, actor, command_seq, session_id, 'session changed' || case goal when '' then '' else ': ' || goal end as says
from facts

-- on session.opened
select seq, at_us, tag, actor, command_seq, session_id, 'session opened' || case goal when '' then '' else ': ' || goal end as says
from facts

-- on session.closed alone
select seq, at_us, tag, actor, command_seq, session_id,
    'session closed' || case cancelled when 0 then '' else ', ' || cancelled || ' open tasks cancelled' end as says
from facts
union all by name
select f.seq, f.at_us, f.tag, f.actor, f.command_seq, f.session_id, t.task_id, 'cancelled: the session was closed' as says,
    false as own
from facts f
join tasks t on t.session_id = f.session_id and t.to_seq = 4611686018427387904
where t.state in ('blocked', 'ready', 'running', 'waiting', 'paused')

-- on task.submitted
select seq, at_us, tag, actor, command_seq, session_id, task_id, spec_lane as lane, 'submitted, ' || state as says
from facts

-- on task.cancelled
select seq, at_us, tag, actor, command_seq, split_part(task_id, '/', 1) as session_id, task_id,
    'cancelled' || case reason when '' then '' else ': ' || reason end as says
from facts

-- on task.paused
select seq, at_us, tag, actor, command_seq, split_part(task_id, '/', 1) as session_id, task_id,
    'paused' || case reason when '' then '' else ': ' || reason end as says
from facts

-- on task.resumed
select seq, at_us, tag, actor, command_seq, split_part(task_id, '/', 1) as session_id, task_id,
    'resumed, ' || state as says
from facts

-- on task.retried
select seq, at_us, tag, actor, command_seq, split_part(task_id, '/', 1) as session_id, task_id,
    'to be tried again, ' || state as says
from facts
union all by name
select seq, at_us, tag, actor, command_seq, split_part(above, '/', 1) as session_id, above as task_id,
    'open again: ' || task_id || ' is tried again' as says, false as own
from (select *, unnest(reopened) as above from facts)

-- on task.reprioritised
select seq, at_us, tag, actor, command_seq, split_part(task_id, '/', 1) as session_id, task_id,
    'priority is now P' || priority as says
from facts

-- on task.amended
select seq, at_us, tag, actor, command_seq, split_part(task_id, '/', 1) as session_id, task_id, spec_lane as lane,
    'changed: ' || array_to_string(changed, ', ') as says
from facts

-- on task.dependency_added
select seq, at_us, tag, actor, command_seq, split_part(task_id, '/', 1) as session_id, task_id,
    'depends on ' || "on" || ', ' || state as says
from facts
union all by name
select seq, at_us, tag, actor, command_seq, split_part(held, '/', 1) as session_id, held as task_id,
    'blocked with ' || task_id as says, false as own
from (select *, unnest(blocked) as held from facts)

-- on task.dependency_removed
select seq, at_us, tag, actor, command_seq, split_part(task_id, '/', 1) as session_id, task_id,
    'no longer depends on ' || "on" || ', ' || state as says
from facts
union all by name
select seq, at_us, tag, actor, command_seq, split_part(freed, '/', 1) as session_id, freed as task_id,
    'ready with ' || task_id as says, false as own
from (select *, unnest(unblocked) as freed from facts)

-- on task.placed
select seq, at_us, tag, actor, command_seq, split_part(task_id, '/', 1) as session_id, task_id,
    'moved in the line of its lane' as says
from facts

-- on task.woken
select seq, at_us, tag, actor, command_seq, split_part(task_id, '/', 1) as session_id, task_id,
    'waited long enough, ready' as says
from facts

-- on task.rolled_up
select seq, at_us, tag, actor, command_seq, split_part(task_id, '/', 1) as session_id, task_id, state = 'failed' as failed,
    case state when 'done' then 'done: all its parts are' when 'failed' then 'failed: a part of it did'
        else 'cancelled: all its parts were' end as says
from facts
union all by name
select seq, at_us, tag, actor, command_seq, split_part(freed, '/', 1) as session_id, freed as task_id,
    'ready: ' || task_id || ' is done' as says, false as own
from (select *, unnest(unblocked) as freed from facts)

-- on task.unblocked
select seq, at_us, tag, actor, command_seq, split_part(task_id, '/', 1) as session_id, task_id,
    len(unblocked) || ' more tasks are ready after it' as says
from facts
union all by name
select seq, at_us, tag, actor, command_seq, split_part(freed, '/', 1) as session_id, freed as task_id,
    'ready: ' || task_id || ' is done' as says, false as own
from (select *, unnest(unblocked) as freed from facts)

-- on plan.begun
select seq, at_us, tag, actor, command_seq, session_id,
    'plan ' || plan_id || ' begun' || case source when '' then '' else ', from ' || source end as says
from facts

-- on plan.sealed alone
select seq, at_us, tag, actor, command_seq, session_id,
    'plan ' || plan_id || ' in force: ' || new || ' new tasks, ' || revised || ' reworded, ' || ready || ' ready'
    || case len(cycles) when 0 then '' else ', ' || len(cycles) || ' in circles' end as says,
    len(cycles) > 0 as failed
from facts
union all by name
select f.seq, f.at_us, f.tag, f.actor, f.command_seq, f.session_id, s.task_id,
    'in force with plan ' || f.plan_id || coalesce(', ' || r.state, '') as says, false as own
from facts f join staged s on s.plan_id = f.plan_id
left join released r on r.plan_id = f.plan_id and r.task_id = s.task_id

-- on plan.dropped alone
select seq, at_us, tag, actor, command_seq, 'plan ' || plan_id || ' dropped: ' || reason as says, true as failed
from facts

-- on worker.registered
select seq, at_us, tag, actor, command_seq, worker_id,
    'worker registered with ' || len(agents) || case len(agents) when 1 then ' agent' else ' agents' end
    || case len(released) when 0 then '' else ', ' || len(released) || ' runs of its last life lost' end as says
from facts
union all by name
select seq, at_us, tag, actor, command_seq, worker_id, split_part(task_id, '/', 1) as session_id, task_id, run_id,
    agent_id, lane, 'run lost, its worker came anew; task ' || "then" as says, true as failed, false as own
from (select * exclude (released, agents), unnest(released, recursive := true) from facts)

-- on worker.draining
select seq, at_us, tag, actor, command_seq, worker_id,
    'draining' || case reason when '' then '' else ': ' || reason end as says
from facts

-- on worker.left
select seq, at_us, tag, actor, command_seq, worker_id,
    'worker left' || case len(released) when 0 then '' else ', ' || len(released) || ' runs interrupted' end as says
from facts
union all by name
select seq, at_us, tag, actor, command_seq, worker_id, split_part(task_id, '/', 1) as session_id, task_id, run_id,
    agent_id, lane, 'run interrupted, its worker left; task ' || "then" as says, false as own
from (select * exclude (released), unnest(released, recursive := true) from facts)

-- on worker.lost
select seq, at_us, tag, actor, command_seq, worker_id, true as failed,
    'worker lost' || case len(released) when 0 then '' else ', and ' || len(released) || ' runs with it' end as says
from facts
union all by name
select seq, at_us, tag, actor, command_seq, worker_id, split_part(task_id, '/', 1) as session_id, task_id, run_id,
    agent_id, lane, 'run lost with its worker; task ' || "then" as says, true as failed, false as own
from (select * exclude (released), unnest(released, recursive := true) from facts)

-- on worker.assigned
select seq, at_us, tag, actor, command_seq, session_id, task_id, run_id, agent_id, worker_id, lane,
    'given to ' || agent_id || ', attempt ' || attempt as says
from facts

-- on worker.cancel_ordered
select seq, at_us, tag, actor, command_seq, split_part(task_id, '/', 1) as session_id, task_id, run_id, agent_id,
    worker_id, agent_id || ' told to stop' as says
from facts

-- on worker.interrupt_ordered
select seq, at_us, tag, actor, command_seq, split_part(task_id, '/', 1) as session_id, task_id, run_id, agent_id,
    worker_id, agent_id || ' told to interrupt' as says
from facts

-- on worker.halt_ordered
select seq, at_us, tag, actor, command_seq, worker_id, 'told to interrupt all it does' as says from facts

-- on worker.hold_ordered
select seq, at_us, tag, actor, command_seq, split_part(task_id, '/', 1) as session_id, task_id, run_id, agent_id, worker_id, agent_id || ' told to freeze it' as says from facts

-- on worker.continue_ordered
select seq, at_us, tag, actor, command_seq, split_part(task_id, '/', 1) as session_id, task_id, run_id, agent_id, worker_id, agent_id || ' told to go on' as says from facts

-- on worker.message_ordered
select seq, at_us, tag, actor, command_seq, split_part(task_id, '/', 1) as session_id, task_id, run_id, agent_id, worker_id, 'to ' || agent_id || ': ' || text as says from facts

-- on worker.hire_ordered
select seq, at_us, tag, actor, command_seq, worker_id,
    'told to take on ' || count || case count when 1 then ' more agent, ' else ' more agents, ' end || adapter as says
from facts

-- on worker.grown
select seq, at_us, tag, actor, command_seq, worker_id,
    'took on ' || len(agents) || case len(agents) when 1 then ' more agent' else ' more agents' end as says
from facts

-- on run.held
select seq, at_us, tag, actor, command_seq, split_part(task_id, '/', 1) as session_id, task_id, run_id, agent_id,
    'held' || case reason when '' then '' else ': ' || reason end as says
from facts

-- on run.continued
select seq, at_us, tag, actor, command_seq, split_part(task_id, '/', 1) as session_id, task_id, run_id, agent_id, 'goes on' as says from facts

-- on run.started
select seq, at_us, tag, actor, command_seq, split_part(task_id, '/', 1) as session_id, task_id, run_id, agent_id,
    worker_id, agent_id || ' began' as says
from facts

-- on run.progressed
select seq, at_us, tag, actor, command_seq, split_part(task_id, '/', 1) as session_id, task_id, run_id, agent_id,
    case step when '' then 'went on' else step end || coalesce(', ' || percent || ' %', '') as says
from facts

-- on run.succeeded
select seq, at_us, tag, actor, command_seq, split_part(task_id, '/', 1) as session_id, task_id, run_id, agent_id,
    worker_id, lane, case len(checks) when 0 then 'done, as it says' else 'done, verified by ' || checks[1] end as says
from facts
union all by name
select seq, at_us, tag, actor, command_seq, split_part(freed, '/', 1) as session_id, freed as task_id,
    'ready: ' || task_id || ' is done' as says, false as own
from (select *, unnest(unblocked) as freed from facts)

-- on run.failed
select seq, at_us, tag, actor, command_seq, split_part(task_id, '/', 1) as session_id, task_id, run_id, agent_id,
    worker_id, lane, true as failed,
    'failed (' || error_class || case error when '' then ')' else '): ' || error end
    || case "then" when 'waiting' then ', to be tried again' else ', task ' || "then" end as says
from facts

-- on run.interrupted
select seq, at_us, tag, actor, command_seq, split_part(task_id, '/', 1) as session_id, task_id, run_id, agent_id,
    worker_id, lane, 'interrupted, task ' || "then" as says
from facts

-- on run.stopped
select seq, at_us, tag, actor, command_seq, split_part(task_id, '/', 1) as session_id, task_id, run_id, agent_id,
    worker_id, lane, 'stopped, its processes are gone' as says
from facts

-- on agent.paused
select seq, at_us, tag, actor, command_seq, agent_id, split_part(agent_id, '/', 1) as worker_id,
    'paused' || case reason when '' then '' else ': ' || reason end as says
from facts

-- on agent.resumed
select seq, at_us, tag, actor, command_seq, agent_id, split_part(agent_id, '/', 1) as worker_id, 'resumed' as says
from facts

-- on view.saved
select seq, at_us, tag, actor, command_seq, 'view ' || view_id || ' saved: ' || page as says from facts

-- on view.removed
select seq, at_us, tag, actor, command_seq, 'view ' || view_id || ' removed' as says from facts

-- on bookmark.placed
select seq, at_us, tag, actor, command_seq, 'bookmark at fact ' || place || ': ' || title as says from facts

-- on bookmark.removed
select seq, at_us, tag, actor, command_seq, 'bookmark ' || bookmark_id || ' removed' as says from facts

-- on board.limited
select seq, at_us, tag, actor, command_seq,
    'column ' || "column" || case most when 0 then ' has no limit' else ' holds ' || most || ' at most' end as says
from facts

-- on lane.configured
select seq, at_us, tag, actor, command_seq, lane,
    'lane ' || lane || coalesce(' takes ' || concurrency || ' runs at once', ' takes as many runs as there are agents') as says
from facts

-- on lane.paused
select seq, at_us, tag, actor, command_seq, lane,
    'lane ' || lane || ' paused' || case reason when '' then '' else ': ' || reason end as says
from facts

-- on lane.resumed
select seq, at_us, tag, actor, command_seq, lane, 'lane ' || lane || ' resumed' as says from facts

-- on template.defined
select seq, at_us, tag, actor, command_seq,
    'template ' || template_id || ' defined, version ' || version || ': ' || spec_title as says
from facts

-- on template.retired
select seq, at_us, tag, actor, command_seq,
    'template ' || template_id || ' retired' || case reason when '' then '' else ': ' || reason end as says
from facts

-- on template.used
select seq, at_us, tag, actor, command_seq, session_id,
    'template ' || template_id || ', version ' || version || ', made ' || len(tasks)
    || case len(tasks) when 1 then ' task' else ' tasks' end || ' called ' || prefix || '-…' as says
from facts

-- on command.refused
select seq, at_us, tag, actor, command_seq, outcome = 'refused' as failed,
    case when kind in ('task', 'run') then split_part(target, '/', 1) when kind = 'session' then target end as session_id,
    case when kind in ('task', 'run') then target end as task_id,
    case kind when 'agent' then target end as agent_id, case kind when 'worker' then target end as worker_id,
    case kind when 'lane' then target end as lane,
    case command when '' then 'something' else command end || ' ' || replace(outcome, '_', ' ') || ': ' || reason as says
from facts

-- query facts
select 'events' as stream, seq, at_us as "at", tag as type, says, coalesce(actor, '') as "by",
    coalesce(session_id, '') as session_id, coalesce(task_id, '') as task_id, coalesce(run_id, '') as run_id,
    coalesce(agent_id, '') as agent_id, coalesce(worker_id, '') as worker_id, coalesce(lane, '') as lane, command_seq,
    coalesce(failed, false) as failed, coalesce(own, true) as own
from timeline where seq <= $seq /*facts*/
order by seq desc, own desc, task_id limit $limit

-- query seen
select 'observations' as stream, o.seq, o.stored_us as "at", o.kind as type,
    case when o.name = '' then o.says when o.says = '' then o.name else o.name || ': ' || o.says end as says,
    '' as "by", split_part(o.task_id, '/', 1) as session_id, o.task_id, o.run_id, coalesce(r.agent_id, '') as agent_id,
    coalesce(r.worker_id, '') as worker_id, coalesce(r.lane, '') as lane, 0 as command_seq, o.failed, true as own
from (
    select * from observations where seq <= $observations_seq /*seen*/ order by seq desc limit $limit
) o
left join runs r on r.run_id = o.run_id and r.from_seq <= $seq and r.to_seq > $seq
order by o.seq desc

-- query clock
select tag, at_us, says from timeline where tag in ('core.clock_suspected', 'core.clock_trusted') and seq <= $seq
order by seq desc limit 1
