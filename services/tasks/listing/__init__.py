"""Case tasks as they are listed: the tasks of a case, and the dashboard over all cases."""
