-- How the lanes have done lately: what ended in them by ten seconds, and how much of the time something ran in them.

-- query pulse
select lane, (at_us - $since) // $step as slot, count(*) filter (state = 'succeeded') as done,
    count(*) filter (state in ('failed', 'lost')) as broken
from ends where seq <= $seq and at_us >= $since and at_us < $until
group by all

-- query busy
select lane, sum(case ended_at when 0 then $until else least(ended_at, $until) end
        - greatest(assigned_at, $since))::bigint as busy_us
from (
    select * from runs_moving where from_seq <= $seq and to_seq > $seq and ended_at = 0
    union all
    select * from runs where from_seq <= $seq and to_seq > $seq and ended_at > $since
)
where assigned_at < $until
group by lane
