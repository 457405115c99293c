-- The highest mark among the rows just read, when it is not below the last one; the staged rows are in the mirror by now.
select {mark}, id::text from mirror_stage where {mark} >= %(watermark)s order by {mark} desc, id desc limit 1;
