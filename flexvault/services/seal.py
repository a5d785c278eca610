"""Seal a recovery point: verify what was promoted, create the manifest, journal the point."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any

from flexvault.domain import blob_names, names
from flexvault.domain.errors import AlreadyExistsError, IntegrityError, PermanentError
from flexvault.domain.job import JobStatus, Result, closes_as
from flexvault.domain.manifest import Manifest, ManifestFile
from flexvault.domain.vault_settings import Immutability
from flexvault.ports import Ports
from flexvault.services import catalog
from flexvault.services.believed_settings import read_believed_settings
from flexvault.services.block_log import BlockLog, LoggedFile
from flexvault.services.immutability import Version, protect, versions_of
from flexvault.services.journal import Draft, append
from flexvault.services.landing_check import describe_archive
from flexvault.services.manifests import FoundManifest, find_manifest, read_stored
from flexvault.services.poisoning_guard import guard_backup, tell_suspicion
from flexvault.services.progress import warning
from flexvault.services.promote import OWNER, vault_path
from flexvault.services.steps import StepRun
from flexvault.services.storage_holds import hold_sealed


def seal_point(run: StepRun) -> Result:
    """Protect the files, create the manifest, whose existence makes the point exist, and the entry that follows it.

    What holds on the instance is read after the entry: a hold that came before it is seen here, a later one sees it.
    """
    found, stored = _create_or_find(run)
    path = blob_names.manifest_path(found.instance, found.point_id)
    manifest = _read_manifest(stored, path)
    _protect_manifest(run.ports, manifest, found.version_id)
    append(run.ports, replace(sealed_draft(manifest, stored, found.version_id, run.now()), actor=run.open.actor))
    hold_sealed(run.ports, manifest, found.version_id)
    tell_suspicion(run.ports, manifest)
    for container in run.open.state["containers"]:
        run.ports.landing.delete_container(container)
    warnings = list(manifest.warnings)
    status = JobStatus.COMPLETED_WITH_WARNINGS if warnings else JobStatus.COMPLETED
    return closes_as(status, warnings=warnings, size_bytes=manifest.size_bytes)


def journal_found_manifest(run: StepRun) -> list[Mapping[str, Any]]:
    """Journal the manifest of a job that closes otherwise: it exists, so the point does; answers what to warn of.

    It is protected and held as any other; where storage refuses that, the nightly check tries it again.
    """
    found = find_manifest(run.ports, run.open.instance, names.point_id(run.open.job_id))
    if found is None:
        return []
    stored = read_stored(run.ports, found)
    try:
        manifest = _read_manifest(stored, blob_names.manifest_path(found.instance, found.point_id))
    except IntegrityError:
        return []  # the job's error says so already, and nothing may keep a job from closing
    text = f"the recovery point {manifest.point_id} exists although its job failed: its manifest had been created"
    warnings: list[Mapping[str, Any]] = [warning("PointSealed", text, manifest.point_id)]
    try:
        _protect_manifest(run.ports, manifest, found.version_id)
    except PermanentError as error:
        warnings.append(warning(error.code, error.message, manifest.point_id))
    append(run.ports, replace(sealed_draft(manifest, stored, found.version_id, run.now()), actor=run.open.actor))
    try:
        hold_sealed(run.ports, manifest, found.version_id)
    except PermanentError as error:
        warnings.append(warning(error.code, error.message, manifest.point_id))
    tell_suspicion(run.ports, manifest)
    return warnings


def _protect_manifest(ports: Ports, manifest: Manifest, version_id: str) -> None:
    """Protect a manifest; the files, too, where the vault's immutability changed since they were protected."""
    mode = read_believed_settings(ports).immutability
    only = 1 if manifest.immutability == mode else None
    for version in islice(versions_of(manifest, version_id), only):
        protect(ports, version, manifest.expiry_time, mode)


def _read_manifest(stored: bytes, path: str) -> Manifest:
    try:
        return Manifest.from_bytes(stored)
    except IntegrityError as error:
        raise IntegrityError(f"{error.message}, at '{path}'", code=error.code, target=path) from None


def sealed_draft(manifest: Manifest, stored: bytes, version_id: str, now: datetime) -> Draft:
    """Write the entry of a sealed point from the stored manifest's bytes, never from memory."""
    body: dict[str, Any] = {
        "point_id": manifest.point_id,
        "instance": manifest.instance,
        "job_id": manifest.job_id,
        "recovery_point_time": manifest.recovery_point_time.isoformat(),
        "expiry_time": manifest.expiry_time.isoformat(),
        "tag": manifest.tag,
        "policy_name": manifest.policy["name"],
        "policy_seq": manifest.policy["journalSeq"],
        "size_bytes": manifest.size_bytes,
        "manifest_hash": names.sha256_hex(stored),
        "manifest_version": version_id,
        "chain": manifest.chain,
        **_tagging_of(manifest),
        "sealed_at": now.isoformat(),
        **({"suspicion": manifest.suspicion.to_json()} if manifest.suspicion else {}),
    }
    return Draft(stream=manifest.instance, type="Sealed", key=manifest.point_id, body=body)


def _tagging_of(manifest: Manifest) -> dict[str, str]:
    if not manifest.tagging:
        return {}
    judged_at = manifest.tagging.get("judgedAt", "")
    return {"because": manifest.tagging["because"], "day": manifest.tagging["day"], "judged_at": judged_at}


def _create_or_find(run: StepRun) -> tuple[FoundManifest, bytes]:
    """Create the manifest, or find the one that an earlier run created: the stored bytes decide."""
    instance, point_id = run.open.instance, names.point_id(run.open.job_id)
    path = blob_names.manifest_path(instance, point_id)
    found = find_manifest(run.ports, instance, point_id)
    if found is None:
        settings = read_believed_settings(run.ports)
        manifest = _build(run, settings.immutability)
        data = (guard_backup(run.ports, manifest) if settings.is_poisoning_guarded else manifest).to_bytes()
        with suppress(AlreadyExistsError):  # a second run of this step was faster
            run.ports.vault_writer.create(blob_names.MANIFESTS, path, data)
        found = find_manifest(run.ports, instance, point_id)
    if found is None:
        raise IntegrityError(f"the manifest '{path}' was created and is not there", code="ManifestMissing", target=path)
    return found, read_stored(run.ports, found)


def _build(run: StepRun, immutability: Immutability) -> Manifest:
    log = BlockLog(run.ports, run.open.job_id, run.open.attempt)
    state = run.open.state
    instance = catalog.find_instance_by_key(run.ports, run.open.instance)
    if instance is None:
        raise IntegrityError("the backup instance of this job is not known", target=run.open.instance)
    recovery: Mapping[str, str] = state["recovery"]
    expiry_time = datetime.fromisoformat(recovery["expiry_time"])
    files = tuple(_verify(run, file) for file in log.files())
    for file in files:  # all are as they were copied: from here on storage keeps them so
        version = Version(container=blob_names.POINTS, path=file.path, version_id=file.version_id)
        protect(run.ports, version, expiry_time, immutability)
    return Manifest(
        point_id=recovery["point_id"],
        job_id=run.open.job_id,
        instance=run.open.instance,
        instance_id=instance.id,
        account=run.settings.vault_blob_endpoint,
        server=state["server"],
        chain=state["server"]["chain"],
        attempt=run.open.attempt,
        recovery_point_time=datetime.fromisoformat(recovery["recovery_point_time"]),
        expiry_time=expiry_time,
        tag=recovery["tag"],
        policy={"name": state["policy_name"], "journalSeq": state["policy_seq"]},
        files=files,
        warnings=tuple(state.get("warnings", [])),
        immutability=immutability,
        tagging=state["recovery"].get("tagging", {}),
    )


def _verify(run: StepRun, file: LoggedFile) -> ManifestFile:
    """Compare what lies in the vault account with what was copied; an archive is read there to its end."""
    path = vault_path(run, file)
    blob = run.ports.vault_reader.find(blob_names.POINTS, path, version_id=file.version_id)
    owner = names.blob_owner(run.open.job_id, run.open.attempt)
    if blob is None or blob.metadata.get(OWNER) != owner or blob.size_bytes != file.size_bytes:
        raise IntegrityError(f"the promoted file '{path}' is not the one that was copied", target=path)
    if len(file.crc64) != len(file.blocks):
        raise IntegrityError(f"the promoted file '{path}' has blocks without a checksum", target=path)
    facts: Mapping[str, Any] = {}
    if file.facts["is_archive"]:

        def read(offset: int, length: int) -> bytes:
            return run.ports.vault_reader.read(
                blob_names.POINTS, path, offset=offset, length=length, version_id=blob.version_id
            )

        facts = describe_archive(read, blob.size_bytes, path)
    return ManifestFile(
        path=path,
        suffix=str(file.facts["suffix"]),
        kind=str(file.facts["kind"]),
        size_bytes=blob.size_bytes,
        version_id=blob.version_id,
        block_size_bytes=file.block_size_bytes,
        crc64=file.crc64,
        facts=facts,
    )
