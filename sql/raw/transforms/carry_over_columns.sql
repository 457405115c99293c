-- Columns that the source dropped keep their last values when a mirror is loaded anew.
update {shadow} s
set ({kept}) = row({mirror_kept})
from {mirror} m
where m.id = s.id and s._deleted_at is null;
