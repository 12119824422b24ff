"""Pages of the console about schedules."""
