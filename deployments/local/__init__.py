"""The services of production on one machine: PostgreSQL, Prefect server, S3 and workers.

`make up` starts them below ``.up/``; the tests start the same classes in folders of theirs.
"""
