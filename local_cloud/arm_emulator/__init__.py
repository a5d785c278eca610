"""An Azure Resource Manager for one machine: flexible servers, long-term-retention backups, role assignments.

It answers in the shapes that were observed on the wire, not in those of the specification where the two differ,
and its backups are real: `pg_dump` and `pg_dumpall` of a PostgreSQL, uploaded through the SAS URLs that the caller
gave. What happened is kept in a log of its own, so tests judge by it and not by a client's word.

Run it with `python -m local_cloud.arm_emulator --config FILE`, or in a thread with
`local_cloud.arm_emulator.server.EmulatorServer`.
"""
