-- Live rows of a mirror and the sum of their hashes, computed anew from what the mirror holds.
select count(*), sum({hash}) from {mirror} t where _deleted_at is null;
