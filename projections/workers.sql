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

-- query page
select w.worker_id, w.state, w.epoch, w.since, w.boot_id, w.host, w.pid, w.version, w.because, w.last_beat, w.released,
    (select count(*) from agents a
     where a.worker_id = w.worker_id and a.present and a.from_seq <= $seq and a.to_seq > $seq) as agents,
    (select count(*) from runs r
     where r.worker_id = w.worker_id and r.ended_at = 0 and r.from_seq <= $seq and r.to_seq > $seq) as busy
from workers w where w.from_seq <= $seq and w.to_seq > $seq
order by length(w.worker_id), w.worker_id
