"""What arrives hour by hour: the inbox and its log, where a run stands, its tables."""
