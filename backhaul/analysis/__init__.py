"""What a run's output says: no training and no inference, tables and charts only."""
