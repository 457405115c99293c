-- Tells the planner what was found. May be re-run.
analyze incoming
