-- What runs cost, and on whose word: as the run reported it, else by its tokens and a list of rates, else unpriced.
-- The rates come with the question, so that no table, and no digest, depends on a price list.

-- Agents, and every model each of them had.
-- query models
select agent_id, model, any_value(adapter) as adapter from agents where from_seq <= $seq group by all

-- The first fact of a span. (Asked for from its end: all before it is skipped by the ranges of its blocks.)
-- query first
select min(seq) as seq from moments where at_us >= $since

-- One by one, each run as the sums tell of many (``runs.sql``).
-- query each
(
    select *, 1 as n, ended_at // 3600000000 as hour, cost_uusd is not null as told,
        input_tokens + output_tokens + cache_read_tokens + cache_write_tokens = 0 as silent
    from /*runs*/
)

-- What was spent in the last minutes: by runs over since then or still under way, less what those under way then had
-- cost by then.
-- query lately
(
    select *, case when ended_at = 0 then 'under way' when ended_at >= $now - 300000000 then 'last 5' else 'last 60' end
        as lately
    from runs where from_seq <= $seq and to_seq > $seq and (ended_at = 0 or ended_at >= $now - 3600000000)
    union all by name
    select * exclude (seq) from runs_moving
    join (values ('then 5', $then_5), ('then 60', $then_60)) earlier (lately, seq)
        on from_seq <= earlier.seq and to_seq > earlier.seq and ended_at = 0
)

-- Runs are summed by whose rates are theirs before these are looked at: a hundred rows to price, not a million.
-- query spent
with rates as (
    select unnest($who::varchar[]) as who, unnest($fresh::bigint[]) as fresh, unnest($cache_read::bigint[]) as cache_read,
        unnest($cache_write::bigint[]) as cache_write, unnest($output::bigint[]) as output
),
used as (
    select /*key*/ as key, /*who*/ as who, not r.told as untold, r.silent,
        any_value(/*title*/) as title, sum(r.n) as runs, coalesce(sum(r.n) filter (r.hour = 0), 0) as under_way,
        coalesce(sum(r.n) filter (r.state = 'succeeded'), 0) as done,
        coalesce(sum(r.n) filter (r.state in ('failed', 'lost')), 0) as failed,
        sum(r.cost_uusd) as reported, sum(r.input_tokens) as fresh, sum(r.cache_read_tokens) as cache_read,
        sum(r.cache_write_tokens) as cache_write, sum(r.output_tokens) as output
    from /*of*/ where /*rows*/ /*where*/ group by all
),
summed as (
    select u.key, any_value(u.title) as title, sum(u.runs)::bigint as runs, sum(u.under_way)::bigint as under_way,
        sum(u.done)::bigint as done, sum(u.failed)::bigint as failed,
        sum(u.fresh + u.cache_read + u.cache_write + u.output)::bigint as tokens,
        coalesce(sum(u.reported), 0)::bigint as reported_uusd,
        coalesce(sum(u.runs) filter (not untold), 0)::bigint as reported_runs,
        coalesce(sum(u.fresh * p.fresh + u.cache_read * p.cache_read + u.cache_write * p.cache_write
            + u.output * p.output) filter (untold), 0) as estimated,
        coalesce(sum(u.runs) filter (untold and not silent and p.who is not null), 0)::bigint as estimated_runs,
        coalesce(sum(u.fresh + u.cache_read + u.cache_write + u.output)
            filter (untold and p.who is null), 0)::bigint as unpriced_tokens,
        coalesce(sum(u.runs) filter (untold and not silent and p.who is null), 0)::bigint as unpriced_runs,
        coalesce(sum(u.runs) filter (untold and silent), 0)::bigint as silent_runs,
        coalesce(sum(u.runs) filter (not untold and silent), 0)::bigint as without_tokens,
        sum(u.fresh * $as_fresh + u.cache_read * $as_cache_read + u.cache_write * $as_cache_write
            + u.output * $as_output) as otherwise
    from used u left join rates p on p.who = u.who group by u.key
)
select false as whole, * from (
    select key, title, count(*) over () as keys, * exclude (key, title) from summed
    order by /*order*/ reported_uusd + estimated / 1000000 desc, tokens desc, key /*limit*/
)
union all
select true, any_value(key), '', count(*), sum(runs)::bigint, sum(under_way)::bigint, sum(done)::bigint,
    sum(failed)::bigint, sum(tokens)::bigint, sum(reported_uusd)::bigint, sum(reported_runs)::bigint, sum(estimated),
    sum(estimated_runs)::bigint, sum(unpriced_tokens)::bigint, sum(unpriced_runs)::bigint, sum(silent_runs)::bigint,
    sum(without_tokens)::bigint, sum(otherwise)
from summed having count(*) > 0
