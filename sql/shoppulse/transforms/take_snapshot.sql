-- First in a transaction: all that it reads is of one moment.
set transaction isolation level repeatable read, read only
