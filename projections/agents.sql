-- Agents as they come, go and are paused. Whether one is busy is read from its runs.

-- interval agents key agent_id
worker_id varchar, name varchar, adapter varchar, model varchar, pool varchar, capabilities varchar[],
present boolean, paused boolean, because varchar, since bigint

-- A worker that registers brings its agents; those it had before and no longer names are gone. A pause outlives both.
-- on worker.registered alone
select f.seq, coalesce(n.agent_id, a.agent_id) as agent_id, f.worker_id, n.name, n.adapter, n.model, n.pool,
    n.capabilities, n.agent_id is not null as present, f.at_us as since,
    case when a.agent_id is null then false end as paused, case when a.agent_id is null then '' end as because
from (select worker_id || '/' || name as agent_id, *
      from (select worker_id, unnest(agents, recursive := true) from facts)) n
full join (select * from agents where to_seq = 4611686018427387904
           and worker_id in (select worker_id from facts)) a on a.agent_id = n.agent_id
cross join facts f

-- on worker.left alone
select f.seq, a.agent_id, false as present, f.at_us as since
from facts f join agents a on a.worker_id = f.worker_id and a.to_seq = 4611686018427387904 and a.present

-- on worker.lost alone
select f.seq, a.agent_id, false as present, f.at_us as since
from facts f join agents a on a.worker_id = f.worker_id and a.to_seq = 4611686018427387904 and a.present

-- on agent.paused
select seq, agent_id, true as paused, reason as because, at_us as since from facts

-- on agent.resumed
select seq, agent_id, false as paused, '' as because, at_us as since from facts
