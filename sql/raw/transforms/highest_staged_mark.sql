-- The highest mark among the rows just read, when it is not below the last one. The row of the last one is still at the source,
-- with a mark that is not lower (the sync has looked), so a mirror whose staged rows are all older stays where it was.
select {mark}, id::text from mirror_stage where {mark} >= %(watermark)s order by {mark} desc, id desc limit 1;
