"""Stages of a campaign as cached Prefect tasks, and what stages are made of."""

from tasks.logs import forward_domain_logs, tell_expected_errors_in_a_line

forward_domain_logs()
tell_expected_errors_in_a_line()
