-- What runs cost, and on whose word: as the run reported it, else by its tokens and a list of rates, else unpriced.
-- The rates come with the question, so that no table, and no digest, depends on a price list.

-- Agents, and every model each of them had.
-- query models
select agent_id, model, any_value(adapter) as adapter from agents where from_seq <= $seq group by all

-- The first fact of a span. (Asked for from its end: all before it is skipped by the ranges of its blocks.)
-- query first
select min(seq) as seq from moments where at_us >= $since

-- Runs are summed by whose rates are theirs before these are looked at: a hundred rows to price, not a million.
-- query spent
with rates as (
    select unnest($who::varchar[]) as who, unnest($fresh::bigint[]) as fresh, unnest($cache_read::bigint[]) as cache_read,
        unnest($cache_write::bigint[]) as cache_write, unnest($output::bigint[]) as output
),
used as (
    select /*key*/ as key, /*who*/ as who, r.cost_uusd is null as untold,
        r.input_tokens + r.output_tokens + r.cache_read_tokens + r.cache_write_tokens = 0 as silent,
        any_value(/*title*/) as title, count(*) as runs, count(*) filter (r.ended_at = 0) as under_way,
        count(*) filter (r.state = 'succeeded') as done, count(*) filter (r.state in ('failed', 'lost')) as failed,
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
