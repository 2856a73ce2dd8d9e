"""When what has arrived is played: what is asked, what was decided, and why."""
