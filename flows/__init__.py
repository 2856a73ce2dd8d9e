"""Prefect flows: order and parallelism, nothing else."""
