"""Two apps over the same tables: each starts and takes over its own jobs only, whoever claimed them."""

from dataclasses import fields, replace
from datetime import timedelta

import pytest

from flexvault.adapters.memory.host import MemoryOrchestrations
from flexvault.adapters.refusing import RefusingPort
from flexvault.domain.app_role import AppRole
from flexvault.domain.errors import NotAuthorizedError
from flexvault.domain.job import JobStatus
from flexvault.ports import Ports
from flexvault.services.apply_retention import begin_retention, claim_retention
from flexvault.services.reconcile import reconcile
from flexvault.services.scheduling import tick
from flexvault.services.starting import start_by_key
from flexvault.services.vault import Vault
from tests.builders import ACTOR, World, let_pass, run_jobs
from tests.services.invariants import entries, require_rest
from tests.services.running import FIRST_SLOT, newest_job, only_open, protected

GRACE = timedelta(seconds=601)


class App:
    """One of two apps over a world: its own hub, and refusals where it holds no identity."""

    def __init__(self, world: World, role: AppRole) -> None:
        ports = world.memory.ports
        if role is AppRole.FRONT:
            ports = replace(ports, vault_cleaner=RefusingPort("vault_cleaner", role=role, needs="retention"))
        else:
            held = {"clock", "rows", "vault_reader", "vault_cleaner", "telemetry"}
            refused = {member.name for member in fields(Ports)} - held
            needs = {name: RefusingPort(name, role=role, needs="writer") for name in refused}
            ports = replace(ports, **needs)
        self.vault = Vault(settings=replace(world.vault.settings, role=role), ports=ports)
        self.hub = MemoryOrchestrations(world.memory.faults)

    @property
    def started(self) -> list[str]:
        return [start.name for start in self.hub.started]


def split(world: World) -> tuple[App, App, World, World]:
    """The front, the janitor, and the world as each of them sees it."""
    front, janitor = App(world, AppRole.FRONT), App(world, AppRole.JANITOR)
    return front, janitor, replace(world, vault=front.vault), replace(world, vault=janitor.vault)


def test_a_whole_life_of_a_point_needs_no_identity_that_its_app_does_not_hold():
    front, janitor, as_front, as_janitor = split(protected())
    for day in range(2):
        as_front.clock.advance_to(FIRST_SLOT + timedelta(days=day))
        tick(front.vault, front.hub)
        run_jobs(as_front)
    let_pass(as_janitor, timedelta(days=60), every=timedelta(days=30))
    begin_retention(janitor.vault, janitor.hub)
    run_jobs(as_janitor)
    assert newest_job(as_janitor).status is JobStatus.COMPLETED
    assert [entry.type for entry in entries(as_front, as_front.instance().key)].count("PointDeleted") == 1
    assert reconcile(janitor.vault, janitor.hub).removed_containers == 0
    assert front.started == ["back_up_server"] * 2
    assert janitor.started == ["apply_retention"]
    require_rest(as_front)


def test_retention_that_the_front_claims_is_started_by_the_janitor_alone():
    front, janitor, _, as_janitor = split(protected())
    now = as_janitor.clock.storage_now()
    opened = claim_retention(front.vault, now, ACTOR)
    assert opened is not None
    start_by_key(front.vault, front.hub, opened.key, now)
    reconcile(front.vault, front.hub)
    assert front.started == []
    assert only_open(as_janitor).last_started_at is None
    reconcile(janitor.vault, janitor.hub)
    assert janitor.started == ["apply_retention"]
    run_jobs(as_janitor)
    assert newest_job(as_janitor).status is JobStatus.COMPLETED


def test_a_stale_job_is_taken_over_by_the_app_whose_work_it_is():
    front, janitor, as_front, as_janitor = split(protected())
    as_front.clock.advance_to(FIRST_SLOT)
    tick(front.vault, front.hub)
    begin_retention(janitor.vault, janitor.hub)
    backup, retention = sorted(as_front.open_jobs(), key=lambda opened: opened.operation)
    as_front.clock.advance_to(max(backup.next_check_at, retention.next_check_at) + GRACE)
    assert reconcile(janitor.vault, janitor.hub).taken_over == (retention.job_id,)
    assert reconcile(front.vault, front.hub).taken_over == (backup.job_id,)
    assert janitor.started == ["apply_retention"] * 2
    assert front.started == ["back_up_server"] * 2
    assert as_janitor.open_jobs()[0].generation == 2


def test_a_step_that_a_forged_row_leads_to_is_refused_where_the_identity_is_missing():
    port = RefusingPort("vault_cleaner", role=AppRole.FRONT, needs="retention")
    with pytest.raises(NotAuthorizedError) as refused:
        port.delete("points", "a/b/c")
    assert refused.value.message == "vault_cleaner.delete: an app of role 'front' holds no retention identity"
    assert "FLEXVAULT_ROLE" in refused.value.hint
