-- How much happened when, and where it went wrong: the strip below a player.

-- query facts
select ((at_us - $since) // $width)::integer as bucket, count(*) as n, min(seq) as seq from moments
where at_us >= $since and at_us < $until group by bucket

-- query failures
select ((at_us - $since) // $width)::integer as bucket, count(*) as n, min(seq) as seq from timeline
where failed and tag <> 'command.refused' and coalesce(own, true) and at_us >= $since and at_us < $until group by bucket

-- query span
select min(at_us) as since, max(at_us) as until, max(seq) as seq from moments

-- query next_failure
select seq, at_us, says, tag from timeline
where failed and tag <> 'command.refused' and coalesce(own, true) and seq > $after order by seq limit 1

-- query last_failure
select seq, at_us, says, tag from timeline
where failed and tag <> 'command.refused' and coalesce(own, true) and seq < $before order by seq desc limit 1

-- query latest_failures
select seq, at_us, says, tag, coalesce(task_id, '') as task_id, coalesce(run_id, '') as run_id,
    coalesce(worker_id, '') as worker_id
from timeline
where failed and tag <> 'command.refused' and coalesce(own, true) and seq <= $seq order by seq desc limit $limit

-- query fact
select seq, at_us from moments where seq = $wanted

-- query times
select seq, at_us from moments where seq in (select unnest($wanted::bigint[]))
