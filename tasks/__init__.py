"""Stages of a campaign as cached Prefect tasks, and what stages are made of."""

from tasks.logs import forward_domain_logs

forward_domain_logs()
