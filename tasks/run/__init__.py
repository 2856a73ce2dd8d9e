"""What a run keeps, and what people see of it: its rounds, its folder, its page."""
