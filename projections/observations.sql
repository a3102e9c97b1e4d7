-- What workers saw, as they told it: tool calls and results, text, steps, usage, files.

-- append observations
seq bigint, stored_us bigint, at_us bigint, run_id varchar, task_id varchar, n bigint, kind varchar, name varchar,
says varchar, ref varchar, failed boolean, usage varchar, data varchar

-- on observation
select seq, stored_us, at_us, run_id, task_id, n, kind, name, says, ref, failed, usage, data from facts
