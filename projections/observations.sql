-- What workers saw, as they told it: tool calls and results, text, steps, usage, files.

-- append observations
seq bigint, stored_us bigint, at_us bigint, run_id varchar, task_id varchar, n bigint, kind varchar, name varchar,
says varchar, ref varchar, failed boolean, usage varchar, data varchar, diff varchar, added bigint, removed bigint

-- on observation
select seq, stored_us, at_us, run_id, task_id, n, kind, name, says, ref, failed, usage, data, diff, added, removed
from facts

-- query of_run
select * from (
    select seq, run_id, n, at_us, kind, name, says, ref, failed, usage, data from observations
    where run_id = $run_id and stored_us between $since and $until
    and seq <= $observations_seq and seq > $after /*where*/
    order by case when $latest then -seq else seq end limit $limit
) order by seq

-- query calls
select * from (
    select seq, run_id, n, at_us, kind, name, says, ref, failed, usage, data from observations
    where run_id = $run_id and stored_us between $since and $until
    and seq <= $observations_seq and seq > $after and kind = 'tool' /*failed*/
    order by case when $latest then -seq else seq end limit $limit
) order by seq

-- query counted
select count(*) as observed, count(*) filter (kind = 'tool') as tool_calls,
    count(*) filter (kind = 'tool_result' and failed) as failed_calls
from observations where run_id = $run_id and stored_us between $since and $until
    and seq <= $observations_seq

-- query results
select seq, run_id, n, at_us, kind, name, says, ref, failed, usage, data from observations
where run_id = $run_id and stored_us between $since and $until
    and seq <= $observations_seq and kind = 'tool_result' and ref in (select unnest($refs))
order by seq
