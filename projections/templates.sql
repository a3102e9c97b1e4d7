-- Templates, their wordings, and what was made of them.

-- interval templates key template_id
state varchar, version integer, title varchar, description varchar, lane varchar, params integer, tasks integer,
because varchar, actor varchar, since bigint, born bigint

-- on template.defined
select seq, template_id, 'open' as state, version, spec_title as title, spec_description as description,
    spec_lane as lane, coalesce(json_array_length(spec, '$.params'), 0) as params,
    json_array_length(spec, '$.tasks') as tasks, '' as because, actor, at_us as since,
    case version when 1 then seq end as born
from facts

-- on template.retired
select seq, template_id, 'retired' as state, reason as because, actor, at_us as since from facts

-- append template_versions
seq bigint, at_us bigint, actor varchar, command_seq bigint, template_id varchar, version integer, spec varchar

-- on template.defined
select seq, at_us, actor, command_seq, template_id, version, spec from facts

-- append template_uses
seq bigint, at_us bigint, actor varchar, command_seq bigint, use_id varchar, template_id varchar, version integer,
session_id varchar, prefix varchar, lane varchar, params varchar, tasks varchar[]

-- on template.used
select seq, at_us, actor, command_seq, use_id, template_id, version, session_id, prefix, lane, params, tasks from facts

-- query page
select t.template_id, t.state, t.version, t.title, t.description, t.lane, t.params, t.tasks, t.because, t.actor, t.since,
    count(u.seq) as uses, coalesce(max(u.at_us), 0) as last_used
from templates t left join template_uses u on u.template_id = t.template_id and u.seq <= $seq
where t.from_seq <= $seq and t.to_seq > $seq /*where*/
group by all
order by t.state, t.title, t.template_id

-- query versions
select version, at_us as "at", actor as "by", command_seq, seq, spec from template_versions
where template_id = $template_id and seq <= $seq order by version desc

-- query uses
select use_id, template_id, version, session_id, prefix, lane, params, tasks, at_us as "at", actor as "by", command_seq, seq
from template_uses where template_id = $template_id and seq <= $seq order by seq desc limit $limit

-- What the runs of these tasks left, the latest attempt last.
-- query kept
select task_id, run_id, attempt, artifacts from (from runs/*ids*/)
where from_seq <= $seq and to_seq > $seq and artifacts <> '[]' order by attempt, run_id
