-- What became of many orders given as one: they share the beginning of their ids, and none is older than the first.
-- One sent twice (a page loaded again) is one order; what came of it came of the first.

-- query given
select coalesce(o.outcome, 'pending') as outcome, count(*) as n
from (select min(seq) as seq from commands
      where seq <= $commands_seq and at_us >= $since and starts_with(command_id, $prefix) group by command_id) c
left join (
    select command_seq, coalesce(first(outcome) filter (outcome is not null),
        case when bool_or(ended) then 'done' else 'pending' end) as outcome
    from moments where seq <= $seq and at_us >= $since group by command_seq
) o on o.command_seq = c.seq
group by 1

-- query rows
select c.seq as command_seq, c.target, coalesce(o.outcome, 'pending') as outcome, coalesce(o.reason, '') as reason,
    coalesce(t.title, '') as title, coalesce(t.state, '') as state
from (select min(seq) as seq, any_value(target) as target from commands
      where seq <= $commands_seq and at_us >= $since and starts_with(command_id, $prefix) group by command_id) c
left join (
    select command_seq, coalesce(first(outcome) filter (outcome is not null),
            case when bool_or(ended) then 'done' else 'pending' end) as outcome,
        coalesce(first(reason) filter (reason is not null), '') as reason
    from moments where seq <= $seq and at_us >= $since group by command_seq
) o on o.command_seq = c.seq
left join tasks t on t.task_id = c.target and t.from_seq <= $seq and t.to_seq > $seq
order by outcome = 'done', outcome = 'pending', c.seq
limit $limit

-- What the last attempts of tasks cost, and of how many that is known.
-- query last_cost
select sum(cost_uusd)::bigint as cost_uusd, count(cost_uusd) as known
from (
    select max_by(cost_uusd, attempt) as cost_uusd from runs
    where from_seq <= $seq and to_seq > $seq and task_id in (select unnest($ids)) group by task_id
)
