-- The rules facts were decided by, and which build began the log.

-- append rules
seq bigint, at_us bigint, rules integer, build varchar

-- on core.genesis
select seq, at_us, rules, build from facts

-- on core.rules_adopted
select seq, at_us, rules, '' as build from facts

-- query in_force
select rules, at_us from rules where seq <= $seq order by seq desc limit 1

-- query began
select at_us, build from rules where seq <= $seq order by seq limit 1

-- query vendor
select version() as duckdb

-- query ended
select state, count(*) as n from ends where seq <= $seq group by state

-- query outcomes
select outcome, count(*) as n from moments where seq <= $seq and outcome is not null group by outcome
