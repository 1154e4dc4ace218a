"""Many trainings of one config: the plan, the workers, the ranking."""
