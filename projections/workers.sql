-- Workers as the log knows them: registered, draining, left, lost. How they beat is in the heartbeats bucket.

-- interval workers key worker_id
state varchar, epoch bigint, boot_id varchar, host varchar, pid bigint, version varchar, because varchar,
last_beat bigint, released integer, since bigint

-- on worker.registered
select seq, worker_id, 'live' as state, seq as epoch, boot_id, host, pid, version, '' as because, 0 as last_beat,
    len(released) as released, at_us as since
from facts

-- on worker.draining
select seq, worker_id, 'draining' as state, reason as because, at_us as since from facts

-- on worker.left
select seq, worker_id, 'left' as state, '' as because, len(released) as released, at_us as since from facts

-- on worker.lost
select seq, worker_id, 'lost' as state, 'no beat was seen for a whole TTL' as because, last_beat,
    len(released) as released, at_us as since
from facts

-- query standing
select * exclude (to_seq) from workers where from_seq <= $seq and to_seq > $seq

-- query states
select worker_id, state, because, released, since from workers where from_seq <= $seq and to_seq > $seq
order by worker_id

-- query page
select worker_id, state, epoch, since, boot_id, host, pid, version, because, last_beat, released,
    coalesce(a.n, 0) as agents, coalesce(r.n, 0) as busy
from workers w
left join (select worker_id, count(*) as n from agents
           where present and from_seq <= $seq and to_seq > $seq group by worker_id) a using (worker_id)
left join (select worker_id, count(*) as n from runs_moving
           where ended_at = 0 and from_seq <= $seq and to_seq > $seq group by worker_id) r using (worker_id)
where from_seq <= $seq and to_seq > $seq
order by length(worker_id), worker_id
