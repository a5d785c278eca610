"""Claim due slots: the insert is the claim, so there is one backup per slot however often a timer fires."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from flexvault.domain import names, row_keys
from flexvault.domain.errors import AlreadyExistsError, PermanentError, RowChangedError
from flexvault.domain.instance import Instance, ProtectionState, StoredPolicy
from flexvault.domain.job import Operation
from flexvault.domain.missed_slots import WhyMissed, dump_missed
from flexvault.domain.open_job import OpenJob
from flexvault.domain.policy import Policy, parse_policy
from flexvault.domain.rows import Change, Insert, Replace, Row
from flexvault.domain.schedule import due_slots, gaps_between_slots, next_slot, spread_offset
from flexvault.ports import Orchestrations
from flexvault.services import catalog
from flexvault.services.claims import NewJob, claim_job, instance_facts
from flexvault.services.due_verifications import claim_due_verifications
from flexvault.services.starting import start_due
from flexvault.services.vault import Vault

PACE = timedelta(milliseconds=200)
"""Two ARM writes a job under a bucket that refills ten a second."""
SHOWN_MISSED = 1_000
"""Slots are counted back no further than this many days: a schedule that slept for years has one record."""


def tick(vault: Vault, orchestrations: Orchestrations) -> Sequence[str]:
    """Claim the newest due slot of every instance and start what is to be started; answers the jobs claimed."""
    now = vault.ports.clock.storage_now()
    open_jobs = {opened.key: opened for opened in catalog.list_open_jobs(vault.ports)}
    pace = Pace(open_jobs.values())
    claimed: list[str] = []
    protected = list(_protected(vault))
    for instance, stored, policy in protected:
        if row_keys.open_row(Operation.BACKUP, instance.key) in open_jobs:
            continue
        try:
            opened = claim_newest_slot(vault, instance, stored, policy, now=now, pace=pace)
        except PermanentError as error:
            # One instance's trouble must not keep the others from being backed up.
            vault.ports.telemetry.emit("ClaimFailed", {"instance": instance.name, "code": error.code})
            continue
        if opened is not None:
            claimed.append(opened.job_id)
    start_due(vault, orchestrations, now)
    # Behind the backups: whatever becomes of a verification, they are started.
    verifications = claim_due_verifications(vault, protected, open_jobs.values(), now)
    if verifications:
        start_due(vault, orchestrations, now)
    return [*claimed, *verifications]


class Pace:
    """Spreads the starts of a subscription, going on from the latest `not_before` of the open rows."""

    def __init__(self, open_jobs: Iterable[OpenJob]) -> None:
        self._latest: dict[str, datetime] = {}
        for opened in open_jobs:
            if opened.operation is Operation.BACKUP:
                self._keep(str(opened.state["subscription"]), opened.not_before)

    def next_start(self, subscription: str, earliest: datetime) -> datetime:
        """Answer when the next job of a subscription may start, and remember it."""
        latest = self._latest.get(subscription)
        start = earliest if latest is None else max(earliest, latest + PACE)
        self._keep(subscription, start)
        return start

    def _keep(self, subscription: str, start: datetime) -> None:
        self._latest[subscription] = max(start, self._latest.get(subscription, start))


def claim_newest_slot(
    vault: Vault,
    instance: Instance,
    stored: StoredPolicy,
    policy: Policy,
    *,
    now: datetime,
    pace: Pace,
) -> OpenJob | None:
    """Claim the newest due slot of one instance; older ones are recorded as missed in the same transaction."""
    ports = vault.ports
    row = catalog.find_schedule_row(ports, instance.key)
    if row is None:
        return None
    after = max(_moment(row, "slots_from"), _moment(row, "last_slot"), stored.schedule_changed_at)
    until = now + vault.settings.look_ahead
    slots = due_slots(policy.intervals, policy.zone, max(after, until - timedelta(days=SHOWN_MISSED)), until)
    if not slots:
        return None
    slot, missed = slots[-1], slots[:-1]
    extra: list[Change] = [
        Replace(key=row.key, values={**row.values, "last_slot": slot}, etag=row.etag),
        *_missed_changes(instance.key, row, missed),
    ]
    begins_at = slot + _offset(vault, instance, policy)
    job = backup_job(
        instance,
        stored,
        "",
        job_id=names.slot_job_id(instance.key, slot),
        not_before=pace.next_start(subscription_of(instance), max(begins_at, now)),
        slot=slot,
        begins_at=begins_at,
    )
    try:
        return claim_job(ports, job, now, extra)
    except (AlreadyExistsError, RowChangedError):
        return None  # another tick claimed it


def _offset(vault: Vault, instance: Instance, policy: Policy) -> timedelta:
    """Answer how long after its slot an instance's backup begins."""
    if not vault.settings.spread:
        return timedelta()
    shortest, _ = gaps_between_slots(policy.intervals, policy.zone)
    return spread_offset(instance.key, vault.settings.spread, shortest)


def subscription_of(instance: Instance) -> str:
    """Answer the subscription of an instance's server, in lower case."""
    return instance.server_id.split("/")[2].lower()


def backup_job(
    instance: Instance,
    stored: StoredPolicy,
    tag: str,
    *,
    job_id: str,
    not_before: datetime,
    slot: datetime | None = None,
    begins_at: datetime | None = None,
) -> NewJob:
    """Describe a backup job; without a slot it is one that a person asked for, with its tag.

    A slot's tag is known once the backup has succeeded.

    Args:
        instance: Whose backup it is.
        stored: Its policy.
        tag: Of one that a person asked for.
        job_id: A derived id.
        not_before: When it may start.
        slot: Its due moment.
        begins_at: When a backup of this slot begins if nothing delays it.
    """
    policy = parse_policy(stored.properties)
    follower = next_slot(policy.intervals, policy.zone, slot or not_before)
    shown = {"slot": slot.isoformat()} if slot else {"tag": tag}
    return NewJob(
        job_id=job_id,
        operation=Operation.BACKUP,
        subject=instance.key,
        instance=instance.key,
        not_before=not_before,
        is_user_triggered=slot is None,
        facts=instance_facts(instance, stored, rule_name=policy.rule_name, **shown),
        state={
            "subscription": subscription_of(instance),
            "policy_seq": stored.journal_seq,
            "policy_name": stored.name,
            "tag": tag,
            "slot": slot.isoformat() if slot else "",
            "begins_at": begins_at.isoformat() if begins_at else "",
            "next_slot": follower.isoformat() if follower else "",
        },
    )


def _protected(vault: Vault) -> Iterator[tuple[Instance, StoredPolicy, Policy]]:
    policies: dict[str, tuple[StoredPolicy, Policy] | None] = {}
    for instance in catalog.list_instances(vault.ports):
        if instance.state is not ProtectionState.CONFIGURED:
            continue
        name = instance.policy_name.lower()
        if name not in policies:
            policies[name] = _parsed(vault, instance.policy_name)
        found = policies[name]
        if found is not None:
            yield instance, *found


def _parsed(vault: Vault, name: str) -> tuple[StoredPolicy, Policy] | None:
    stored = catalog.find_policy(vault.ports, name)
    if stored is None:
        vault.ports.telemetry.emit("PolicyUnusable", {"policy": name, "code": "ResourceNotFound"})
        return None
    try:
        return stored, parse_policy(stored.properties)
    except PermanentError as error:
        vault.ports.telemetry.emit("PolicyUnusable", {"policy": name, "code": error.code})
        return None


def _missed_changes(instance: str, row: Row, missed: Sequence[datetime]) -> list[Change]:
    if not missed:
        return []
    closed_at = row.values.get("last_closed_at")
    is_overlap = isinstance(closed_at, datetime) and missed[0] <= closed_at
    why = WhyMissed.PREVIOUS_BACKUP_RUNNING if is_overlap else WhyMissed.CONTROL_PLANE_DOWN
    text = dump_missed(missed[0], missed[-1], len(missed), why)
    return [Insert(key=row_keys.missed_row(instance, missed[0]), values={"missed": text, "instance": instance})]


def _moment(row: Row, member: str) -> datetime:
    value = row.values[member]
    if not isinstance(value, datetime):
        raise PermanentError(f"row {row.key} has no time in '{member}'", code="RowDamaged", target=row.key)
    return value
