-- What went on inside a run: the files it touched, what each call to its model used, and how it came to be given out.

-- query files
select name, count(*) as edits, sum(added) as added, sum(removed) as removed, max(at_us) as at_us, max(seq) as seq,
    count(*) filter (diff <> '') as diffs
from observations where run_id = $run_id and stored_us between $since and $until
    and seq <= $observations_seq and kind = 'file'
group by name order by min(seq) limit $limit

-- query diffs
select seq, at_us, ref, says, diff, added, removed from observations
where run_id = $run_id and stored_us between $since and $until
    and seq <= $observations_seq and kind = 'file' and name = $name and diff <> ''
order by seq desc limit $limit

-- query spent
select seq, at_us, kind, name, ref, usage from observations
where run_id = $run_id and stored_us between $since and $until
    and seq <= $observations_seq and kind in ('usage', 'tool') order by seq limit $limit

-- query resources
select at_us, data from observations
where run_id = $run_id and stored_us between $since and $until
    and seq <= $observations_seq and kind = 'resources' order by seq desc limit 1

-- query before
select state, since from (from tasks where task_id = $task_id offset 0) where from_seq < $born order by from_seq desc limit 20

-- query chain
select t.seq, t.at_us, t.tag, t.says, t.command_seq, coalesce(t.failed, false) as failed,
    coalesce(c.tag, '') as command, coalesce(c.actor, t.actor, '') as actor, coalesce(c.target, '') as target,
    coalesce(c.at_us, t.at_us) as given_at
from timeline t left join commands c on c.seq = t.command_seq
where t.task_id = $task_id and t.seq <= $seq and t.seq <= $assigned and t.tag <> 'run.progressed'
order by t.seq, t.own desc

-- query steps
select seq, at_us, kind, name, says from observations
where run_id = $run_id and stored_us between $since and $until
    and seq <= $observations_seq and kind in ('step', 'tool') order by seq limit $limit
