-- How much happened when, and where it went wrong: the strip below a player.

-- query facts
select ((at_us - $since) // $width)::integer as bucket, count(*) as n, min(seq) as seq from moments
where at_us >= $since and at_us < $until group by bucket

-- A fact that went wrong has a row of its own, or rows of the runs it took along.
-- query failures
select ((at_us - $since) // $width)::integer as bucket, count(distinct seq) as n, min(seq) as seq from timeline
where failed and tag <> 'command.refused' and at_us >= $since and at_us < $until group by bucket

-- The first row is the first fact: rows only come, one for each fact in its order.
-- query span
select (select at_us from moments limit 1) as since, at_us as until, seq from moments where seq = $seq

-- query next_failure
select seq, at_us, says, tag from timeline where failed and tag <> 'command.refused' and seq > $after
order by seq, own desc limit 1

-- query last_failure
select seq, at_us, says, tag from timeline where failed and tag <> 'command.refused' and seq < $before
order by seq desc, own desc limit 1

-- query latest_failures
select seq, any_value(at_us) as at_us, arg_max(says, coalesce(own, true)) as says, any_value(tag) as tag,
    coalesce(arg_max(task_id, coalesce(own, true)), '') as task_id,
    coalesce(arg_max(run_id, coalesce(own, true)), '') as run_id,
    coalesce(arg_max(worker_id, coalesce(own, true)), '') as worker_id
from timeline where failed and tag <> 'command.refused' and seq <= $seq
group by seq order by seq desc limit $limit

-- query fact
select seq, at_us from moments where seq = $wanted

-- query times
select seq, at_us from moments where seq in (select unnest($wanted::bigint[]))
