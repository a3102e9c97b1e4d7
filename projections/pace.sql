-- How long runs take and how fast they use tokens, by what ended of late: of the last $window facts.

-- query times
select e.lane, t.kind, count(*) as n, quantile_cont(e.duration_ms, 0.95) as p95_ms
from ends e join tasks t on t.task_id = e.task_id and t.from_seq <= $seq and t.to_seq > $seq
where e.seq <= $seq and e.seq > $seq - $window and e.state = 'succeeded' and e.duration_ms > 0
group by e.lane, t.kind having count(*) >= $enough

-- query rates
select coalesce(nullif(a.model, ''), a.adapter) as model, count(*) as n,
    quantile_cont(e.tokens * 60000.0 / e.duration_ms, 0.5) as tokens_a_minute
from ends e join agents a on a.agent_id = e.agent_id and a.from_seq <= $seq and a.to_seq > $seq
where e.seq <= $seq and e.seq > $seq - $window and e.duration_ms > 0 and e.tokens > 0
group by 1 having count(*) >= $enough

-- query kinds
select task_id, kind from (from tasks/*ids*/) where from_seq <= $seq and to_seq > $seq
