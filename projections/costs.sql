-- What runs cost, and on whose word: as the run reported it, else by its tokens and a list of rates, else unpriced.
-- The rates come with the question, so that no table, and no digest, depends on a price list.

-- Models that runs were given to: an agent may have been another one when the run began.
-- query models
select distinct model from agents where from_seq <= $seq and model <> ''

-- query first
select coalesce(max(seq), 0) as seq from moments where at_us < $since

-- query spent
with rates as (
    select unnest($models::varchar[]) as model, unnest($fresh::bigint[]) as fresh, unnest($cache_read::bigint[]) as cache_read,
        unnest($cache_write::bigint[]) as cache_write, unnest($output::bigint[]) as output
),
used as (
    select /*key*/ as key, /*title*/ as title, r.state, r.ended_at, r.cost_uusd as reported,
        r.input_tokens + r.output_tokens + r.cache_read_tokens + r.cache_write_tokens as tokens,
        case when r.cost_uusd is null and p.model is not null
                and r.input_tokens + r.output_tokens + r.cache_read_tokens + r.cache_write_tokens > 0
            then (r.input_tokens * p.fresh + r.cache_read_tokens * p.cache_read + r.cache_write_tokens * p.cache_write
                + r.output_tokens * p.output + 500000) // 1000000 end as estimated,
        (r.input_tokens * $as_fresh + r.cache_read_tokens * $as_cache_read + r.cache_write_tokens * $as_cache_write
            + r.output_tokens * $as_output + 500000) // 1000000 as otherwise
    from runs r
    left join agents a on a.agent_id = r.agent_id and a.from_seq <= r.born and a.to_seq > r.born
    left join rates p on p.model = a.model
    where /*rows*/ /*where*/
)
select key, any_value(title) as title, count(*) over () as keys, count(*) as runs, count(*) filter (ended_at = 0) as under_way,
    count(*) filter (state = 'succeeded') as done, count(*) filter (state in ('failed', 'lost')) as failed,
    coalesce(sum(tokens), 0)::bigint as tokens,
    coalesce(sum(reported), 0)::bigint as reported_uusd, count(reported) as reported_runs,
    coalesce(sum(estimated), 0)::bigint as estimated_uusd, count(estimated) as estimated_runs,
    coalesce(sum(tokens) filter (reported is null and estimated is null), 0)::bigint as unpriced_tokens,
    count(*) filter (reported is null and estimated is null and tokens > 0) as unpriced_runs,
    count(*) filter (reported is null and tokens = 0) as silent_runs,
    count(*) filter (reported is not null and tokens = 0) as without_tokens,
    coalesce(sum(otherwise), 0)::bigint as otherwise_uusd
from used /*basis*/ group by key
order by /*order*/ reported_uusd + estimated_uusd desc, tokens desc, key /*limit*/
