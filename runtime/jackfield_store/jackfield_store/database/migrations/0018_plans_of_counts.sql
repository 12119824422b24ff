-- postgresql:
-- Without this, PostgreSQL plans the trigger's statements anew for each entry, which takes most of the trigger's time: most entries need only
-- a part of each statement, and a plan for all of them looks more expensive than one for that part.
ALTER FUNCTION invocations_counted() SET plan_cache_mode = force_generic_plan;
