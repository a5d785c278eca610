"""Every mutation that the suite must catch."""

from collections.abc import Sequence

from tests.mutations.mutation import Mutation

MUTATIONS: Sequence[Mutation] = (
    Mutation(
        name="the emulator lets everybody do everything",
        path="local_cloud/arm_emulator/access.py",
        old='        raise authorization_failed(principal.client_id, principal.object_id, action, scope or "/")\n',
        new="        return\n",
        tests=("tests/emulator/test_authorization.py",),
    ),
    Mutation(
        name="a seal does not look at the terminator",
        path="flexvault/domain/dump_archive.py",
        old="    if any(cursor.take(zeros)):\n",
        new="    if any(cursor.take(zeros)) and not zeros:\n",
        tests=("tests/unit/test_dump_archive.py",),
    ),
    Mutation(
        name="an archive that ends too early is described as if it were whole",
        path="flexvault/services/landing_check.py",
        old="        raise SpoiledAttemptError(error.code, error.message) from None\n",
        new="        return {}, bool(error)\n",
        tests=("tests/services/test_promote_and_seal.py",),
    ),
    Mutation(
        name="a restore copies nothing",
        path="flexvault/services/restore_files.py",
        old="_copy(run, log, file, manifest.files[file.ordinal], budget)\n",
        new="log.mark_committed(file)\n",
        tests=("tests/services/test_restore.py",),
    ),
    Mutation(
        name="a restore does not compare checksums",
        path="flexvault/services/restore_files.py",
        old="        if crc64 != source.crc64[index]:\n",
        new="        if not crc64:\n",
        tests=("tests/services/test_restore.py",),
    ),
    Mutation(
        name="a comparison ignores one table",
        path="local_cloud/compare.py",
        old="    for schema, table in connection.execute(compare_queries.TABLES_WITH_ROWS).fetchall():\n",
        new="    for schema, table in connection.execute(compare_queries.TABLES_WITH_ROWS).fetchall()[1:]:\n",
        tests=("tests/rebuild/test_compare.py",),
    ),
    Mutation(
        name="a token for another audience is accepted",
        path="flexvault/api/tokens.py",
        old='"verify_exp": False, ',
        new='"verify_aud": False, "verify_exp": False, ',
        tests=("tests/api/test_tokens.py",),
    ),
    Mutation(
        name="an open row is written whatever its ETag",
        path="flexvault/services/steps.py",
        old="[Replace(key=changed.key, values=changed.to_values(), etag=self.open.etag)]",
        new="[Merge(key=changed.key, values=changed.to_values())]",
        tests=("tests/services/test_steps.py", "tests/services/test_zombies.py"),
    ),
    Mutation(
        name="a projection goes backwards",
        path="flexvault/domain/event_rows.py",
        old="    return seq_of(row) < entry.seq\n",
        new="    return row is None or entry.seq > 0\n",
        tests=("tests/domain/test_events.py",),
    ),
    Mutation(
        name="what the journal says since the plan was made is not asked before a tombstone",
        path="flexvault/services/apply_retention.py",
        old='        recheck.require_unchanged(str(verdict["instance"]), point_id)\n',
        new="",
        tests=("tests/services/test_retention_rows.py",),
    ),
    Mutation(
        name="the deletion of an instance ends although something of it is left",
        path="flexvault/services/end_deletion.py",
        old="        if why_not:\n",
        new="        if why_not and not instance.name:\n",
        tests=("tests/services/test_deletion.py",),
    ),
    Mutation(
        name="a backup that lost much pauses nothing",
        path="flexvault/domain/retention.py",
        old="    if point.suspects and point.regime is not Regime.DELETE:",
        new="    if point.suspects and point.regime is Regime.DELETE:",
        tests=("tests/services/test_poisoning.py",),
    ),
    Mutation(
        name="what was suspected while a plan is executed is not asked before a tombstone",
        path="flexvault/services/standings.py",
        old="    if found.suspects and now.regime is not Regime.DELETE:\n",
        new="    if found.suspects and not now:\n",
        tests=("tests/services/test_poisoning.py",),
    ),
    Mutation(
        name="a job on its own says that its restore outside was approved",
        path="flexvault/services/restore_files.py",
        old="            require_approved(run.vault, run.open.state, run.open.instance, why)\n",
        new="            assert why\n",
        tests=("tests/services/test_outside_restore.py",),
    ),
    Mutation(
        name="extra members of a log record are not looked at",
        path="flexvault/adapters/log_redaction.py",
        old="        if name not in _STANDARD:\n",
        new="        if name in _STANDARD and not name:\n",
        tests=("tests/unit/test_log_redaction.py",),
    ),
)
