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
