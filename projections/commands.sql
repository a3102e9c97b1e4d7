-- Who ordered what, from COMMANDS, and what came of it, from EVENTS. One table a stream; a query brings them together.

-- append commands
seq bigint, at_us bigint, command_id varchar, actor varchar, tag varchar, kind varchar, target varchar,
deadline bigint, problem varchar

-- on command
select seq, at_us, command_id, actor, tag, kind, target, deadline, problem from facts

-- When each fact was decided and stored, and for which command; its outcome where it is a refusal.
-- append moments
seq bigint, at_us bigint, stored_us bigint, command_seq bigint, parts integer, ended boolean, outcome varchar,
reason varchar

-- on any
select seq, at_us, stored_us, command_seq, parts, ended, outcome, reason from facts

-- query latest
select coalesce((select max(seq) from moments), 0) as events_seq,
    coalesce((select max(seq) from observations), 0) as observations_seq,
    coalesce((select max(seq) from commands), 0) as commands_seq

-- query by_time
select max(seq) as seq from moments where at_us <= $at

-- query by_seq
select at_us from moments where seq = $seq

-- query beside
select coalesce((select max(seq) from observations where stored_us <= $at), 0) as observations_seq,
    greatest(coalesce((select max(seq) from commands where at_us <= $at), 0),
             coalesce((select max(command_seq) from moments where seq <= $seq), 0)) as commands_seq

-- Commands are decided in their order, so what is not decided yet follows the last one that is.
-- query page
with c as (
    select * from commands c where seq <= $commands_seq /*where*/ /*before*/ order by seq desc /*limit*/
),
outcome as (
    select command_seq, max(seq) as seq, max(stored_us) filter (ended) as stored_us, any_value(parts) as parts,
        coalesce(first(outcome) filter (outcome is not null),
                 case when bool_or(ended) then 'done' else 'pending' end) as outcome,
        coalesce(first(reason) filter (reason is not null), '') as reason
    from moments where seq <= $seq and command_seq in (select seq from c) group by command_seq
)
select c.seq as command_seq, c.command_id, c.actor, c.tag, c.kind, c.target, c.at_us, c.deadline, c.problem,
    coalesce(o.outcome, 'pending') as outcome, coalesce(o.reason, '') as reason, coalesce(o.seq, 0) as events_seq,
    coalesce(o.parts, 0) as facts, o.stored_us - c.at_us as latency_us
from c left join outcome o on o.command_seq = c.seq
order by c.seq desc

-- query count
select count(*) as n from commands c where seq <= $commands_seq /*where*/

-- query decided
select coalesce(max(command_seq) filter (ended), 0) as command_seq from (
    select command_seq, ended from moments where seq <= $seq order by seq desc limit 1000
)
