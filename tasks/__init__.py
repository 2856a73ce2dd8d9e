"""Prefect tasks: each reads artifacts, calls the domain, writes artifacts, and logs."""
