-- Lanes and their switches. What stands in them is read from tasks and runs.

-- interval lanes key lane
concurrency integer, paused boolean, because varchar, actor varchar, since bigint

-- A log begins with these four; -1 is no limit.
-- on core.genesis
select seq, unnest(['A', 'B', 'C', 'D']) as lane, -1 as concurrency, false as paused, '' as because,
    '' as actor, at_us as since
from facts

-- on lane.configured
select seq, lane, coalesce(concurrency, -1) as concurrency from facts

-- on lane.paused
select seq, lane, true as paused, reason as because, actor, at_us as since from facts

-- on lane.resumed
select seq, lane, false as paused, '' as because, '' as actor, at_us as since from facts
