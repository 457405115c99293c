-- A plan for one day and a plan for ten thousand differ.
analyze refreshing
