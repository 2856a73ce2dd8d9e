"""Prefect blocks that an operator fills in the UI: object store, uplink, label source."""
