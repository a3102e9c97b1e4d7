-- What an export holds beside the spans of spans.sql: the facts of the range, in order.

-- query facts
select seq, at_us, tag, says, coalesce(actor, '') as actor, coalesce(session_id, '') as session_id,
    coalesce(task_id, '') as task_id, coalesce(run_id, '') as run_id, coalesce(agent_id, '') as agent_id,
    coalesce(worker_id, '') as worker_id, coalesce(failed, false) as failed
from timeline
where seq <= $seq and seq > $after and at_us >= $since and at_us < $before and coalesce(own, true) /*facts*/
order by seq limit $limit
