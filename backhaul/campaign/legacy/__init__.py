"""Configs of the earlier tool, bandwidth-aware-learning, as campaigns of this one."""
