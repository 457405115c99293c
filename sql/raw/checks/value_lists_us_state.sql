-- The rows that the list of states binds: elsewhere a state is free text. A condition on t, put into value_lists.sql.
t.country = 'United States'
