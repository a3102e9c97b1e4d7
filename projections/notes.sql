-- What operators keep for each other, and whether the fleet is halted.

-- interval views key view_id
page varchar, query varchar, kept boolean, actor varchar, since bigint

-- on view.saved
select seq, view_id, page, query, true as kept, actor, at_us as since from facts

-- on view.removed
select seq, view_id, false as kept, actor, at_us as since from facts

-- interval bookmarks key bookmark_id
place bigint, title varchar, kept boolean, actor varchar, since bigint

-- on bookmark.placed
select seq, bookmark_id, place, title, true as kept, actor, at_us as since from facts

-- on bookmark.removed
select seq, bookmark_id, false as kept, actor, at_us as since from facts

-- interval board_limits key column_id
most integer, actor varchar, since bigint

-- on board.limited
select seq, "column" as column_id, most, actor, at_us as since from facts

-- interval fleet_state key fleet
halted boolean, gently boolean, because varchar, actor varchar, since bigint

-- on core.genesis
select seq, 'fleet' as fleet, false as halted, false as gently, '' as because, '' as actor, at_us as since from facts

-- on core.halted
select seq, 'fleet' as fleet, true as halted, gently, reason as because, actor, at_us as since from facts

-- on core.released
select seq, 'fleet' as fleet, false as halted, false as gently, '' as because, actor, at_us as since from facts

-- query views
select view_id, page, query, actor as "by", since from views where from_seq <= $seq and to_seq > $seq and kept
order by lower(view_id), view_id

-- query bookmarks
select bookmark_id, place as seq, title, actor as "by", since from bookmarks
where from_seq <= $seq and to_seq > $seq and kept order by place, bookmark_id

-- query board_limits
select column_id, most from board_limits where from_seq <= $seq and to_seq > $seq and most > 0 order by column_id

-- query fleet
select halted, gently, because, actor as "by", since from fleet_state where from_seq <= $seq and to_seq > $seq
