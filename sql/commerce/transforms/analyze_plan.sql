-- Tells the planner how much the plan holds. May be re-run.
analyze catalogue_plan
