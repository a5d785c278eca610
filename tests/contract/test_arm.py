"""What every way into ARM promises: servers, long-term retention, source roles."""

import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.core.credentials import TokenCredential

from flexvault.adapters.azure.surroundings import AzureSurroundings
from flexvault.domain.account_checks import AccountSettings
from flexvault.domain.errors import (
    ConflictError,
    InvalidInputError,
    NotAuthorizedError,
    NotFoundError,
    OutcomeUnknownError,
    ThrottledError,
    TransientError,
    VaultError,
)
from flexvault.domain.source_roles import NEEDED_ACTIONS
from flexvault.ports import VaultFacts
from local_cloud.certificates import ensure_certificates, now
from tests.contract.arm_runs import (
    PLANTED,
    PRIMARY_ID,
    START,
    SUBNET_ID,
    ArmRun,
    EmulatorRun,
    MemoryRun,
    azure_backup_id,
    grant_of,
    run_emulator,
)
from tests.emulator.people import CONTROL, Credential, IdentityService
from tests.emulator.places import ACCOUNT, ACCOUNT_ID, SERVER_ID, SERVERS_ID, SUBSCRIPTION, TENANT

NAME = "flexvault-0123456789abcdef-a1"
LEAK = f"cannot reach https://landing.example/c0?sv=2026&sig={PLANTED} now"


@pytest.fixture(scope="module")
def identity() -> Iterator[IdentityService]:
    with IdentityService(TENANT) as identity:
        yield identity


@pytest.fixture
def emulator(
    identity: IdentityService,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[EmulatorRun]:
    certificates = ensure_certificates(tmp_path_factory.getbasetemp() / "arm-tls", now())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.authority))
    with run_emulator(tmp_path / "state", certificates, identity) as run:
        yield run


@pytest.fixture(params=["memory", "azure"])
def arm(request: pytest.FixtureRequest) -> ArmRun:
    return MemoryRun() if request.param == "memory" else request.getfixturevalue("emulator")


@pytest.fixture
def protected(arm: ArmRun) -> ArmRun:
    """The roles are granted."""
    arm.roles.grant(SERVER_ID)
    return arm


# Servers -------------------------------------------------------------------------------------------------------------


def test_a_server_is_read_in_any_spelling_of_its_id(arm: ArmRun) -> None:
    server = arm.servers.get(SERVER_ID.lower())

    assert (server.id, server.name, server.state, server.replication_role) == (
        SERVER_ID,
        "pg-orders",
        "Ready",
        "Primary",
    )
    assert server.created_at is not None
    assert server.created_at.tzinfo is not None


def test_a_stopped_server_says_so(arm: ArmRun) -> None:
    arm.set_state("Stopped")

    assert arm.servers.get(SERVER_ID).state == "Stopped"


def test_a_missing_server_is_not_found(arm: ArmRun) -> None:
    with pytest.raises(NotFoundError) as raised:
        arm.servers.get(f"{SERVERS_ID}/pg-nothing")

    assert raised.value.code == "ResourceNotFound"


def test_a_plain_server_says_what_it_is(arm: ArmRun) -> None:
    server = arm.servers.get(SERVER_ID)

    assert (server.cluster_size, server.delegated_subnet_id, server.private_endpoints) == (None, "", 0)
    assert (server.storage_type, server.source_server_id) == ("", "")


def test_what_decides_about_backups_is_shown(arm: ArmRun) -> None:
    arm.change_kind()

    server = arm.servers.get(SERVER_ID)

    assert (server.storage_size_gib, server.storage_type, server.cluster_size) == (2048, "PremiumV2_LRS", 4)
    assert server.public_network_access == "Disabled"
    assert (server.delegated_subnet_id, server.private_endpoints) == (SUBNET_ID, 2)
    assert (server.replication_role, server.source_server_id) == ("AsyncReplica", PRIMARY_ID)


def test_instances_of_azure_backup_are_listed_by_their_server_over_all_pages(arm: ArmRun) -> None:
    assert list(arm.servers.list_azure_backup_instances(SERVER_ID)) == []
    states = ["ProtectionConfigured", "ProtectionStopped", "SoftDeleted"]
    arm.protect_by_azure_backup(*states)

    found = arm.servers.list_azure_backup_instances(SERVER_ID)

    assert [(one.id, one.state) for one in found] == [(azure_backup_id(state), state) for state in states]


def test_who_may_not_ask_azure_backup_is_refused_with_the_command_and_never_told_that_there_is_nothing(
    arm: ArmRun,
) -> None:
    arm.protect_by_azure_backup("ProtectionConfigured")
    arm.forbid_reading()

    with pytest.raises(NotAuthorizedError, match=r"Microsoft\.DataProtection/backupInstances/read") as raised:
        arm.servers.list_azure_backup_instances(SERVER_ID)

    assert '--role "Reader"' in raised.value.hint


def test_a_missing_server_has_no_list(arm: ArmRun) -> None:
    with pytest.raises(NotFoundError):
        arm.servers.list_azure_backup_instances(f"{SERVERS_ID}/pg-nothing")


# Roles ---------------------------------------------------------------------------------------------------------------


def test_without_roles_the_backup_actions_are_missing(arm: ArmRun) -> None:
    missing = arm.roles.find_missing(SERVER_ID)

    assert set(missing) <= set(NEEDED_ACTIONS)
    assert any(action.endswith("startLtrBackup/action") for action in missing)


def test_granted_roles_leave_nothing_missing(arm: ArmRun) -> None:
    names = arm.roles.grant(SERVER_ID)

    assert len(set(names)) == 2
    assert list(arm.roles.find_missing(SERVER_ID)) == []


def test_a_second_grant_assigns_nothing_new(arm: ArmRun) -> None:
    first = arm.roles.grant(SERVER_ID)
    assigned = arm.assignments()

    assert arm.roles.grant(SERVER_ID) == first
    assert arm.assignments() == assigned


def test_a_vault_that_may_not_grant_gives_the_commands(arm: ArmRun) -> None:
    assert arm.roles.can_grant(SERVER_ID)
    arm.forbid_granting()
    assert not arm.roles.can_grant(SERVER_ID)

    with pytest.raises(NotAuthorizedError) as raised:
        arm.roles.grant(SERVER_ID)

    assert raised.value.hint == arm.roles.grant_commands(SERVER_ID)
    assert raised.value.hint.count("az role assignment create") == 2
    assert SERVER_ID in raised.value.hint


def test_planned_names_are_those_that_are_granted(arm: ArmRun) -> None:
    planned = arm.roles.planned_assignments(SERVER_ID)

    assert arm.roles.grant(SERVER_ID) == planned


def test_what_was_granted_is_removed_by_its_names_and_again_is_fine(protected: ArmRun) -> None:
    names = protected.roles.planned_assignments(SERVER_ID)

    protected.roles.remove(SERVER_ID, names)
    assert any(action.endswith("startLtrBackup/action") for action in protected.roles.find_missing(SERVER_ID))

    protected.roles.remove(SERVER_ID, names)


def test_a_name_that_is_not_there_is_removed_already(protected: ArmRun) -> None:
    protected.roles.remove(SERVER_ID, ["5d8b1f9e-5f0e-4c55-9d1a-1b2c3d4e5f60"])

    assert list(protected.roles.find_missing(SERVER_ID)) == []


def test_a_server_that_is_gone_has_no_roles_left(protected: ArmRun) -> None:
    names = protected.roles.planned_assignments(SERVER_ID)
    protected.delete_server()

    protected.roles.remove(SERVER_ID, names)


def test_a_removal_that_is_refused_gives_the_command(protected: ArmRun) -> None:
    names = protected.roles.planned_assignments(SERVER_ID)
    protected.forbid_granting()

    with pytest.raises(NotAuthorizedError) as raised:
        protected.roles.remove(SERVER_ID, names)

    assert raised.value.hint.startswith("az role assignment delete --ids")
    assert f"{SERVER_ID}/providers/Microsoft.Authorization/roleAssignments/{names[0]}" in raised.value.hint


# Long-term retention -------------------------------------------------------------------------------------------------


def test_the_server_says_how_many_containers_it_needs(protected: ArmRun) -> None:
    assert protected.ltr.check_prerequisites(SERVER_ID, NAME) == 1


def test_without_roles_nothing_is_checked_or_started(arm: ArmRun) -> None:
    with pytest.raises(NotAuthorizedError, match="pg-orders") as checked:
        arm.ltr.check_prerequisites(SERVER_ID, NAME)
    with pytest.raises(NotAuthorizedError) as started:
        arm.ltr.start(SERVER_ID, NAME, grant_of())

    assert checked.value.hint == started.value.hint == arm.roles.grant_commands(SERVER_ID)
    assert arm.accepted() == []


def test_a_started_backup_runs(protected: ArmRun) -> None:
    protected.keep_running()

    protected.ltr.start(SERVER_ID, NAME, grant_of())

    found = protected.ltr.find(SERVER_ID, NAME)
    assert found is not None
    assert (found.backup_name, found.status, found.ended_at) == (NAME, "Running", None)
    assert found.started_at is not None
    assert found.started_at.tzinfo is not None
    assert [operation.backup_name for operation in protected.ltr.list_by_server(SERVER_ID)] == [NAME]


def test_a_name_that_was_never_started_is_nothing(protected: ArmRun) -> None:
    assert protected.ltr.find(SERVER_ID, NAME) is None
    assert list(protected.ltr.list_by_server(SERVER_ID)) == []


def test_a_failed_backup_says_why_without_a_signature(protected: ArmRun) -> None:
    message = LEAK if isinstance(protected, EmulatorRun) else "cannot reach it now"
    protected.end_failed("StorageUnreachable", message)
    protected.ltr.start(SERVER_ID, NAME, grant_of())

    found = protected.ltr.find(SERVER_ID, NAME)
    while found is not None and found.status == "Running":
        found = protected.ltr.find(SERVER_ID, NAME)

    assert found is not None
    assert (found.status, found.error_code) == ("Failed", "StorageUnreachable")
    assert found.ended_at is not None
    assert "now" in found.error_message
    assert PLANTED not in repr(found)


def test_a_second_backup_meets_a_busy_server(protected: ArmRun) -> None:
    protected.keep_running()
    protected.ltr.start(SERVER_ID, NAME, grant_of())

    with pytest.raises(ConflictError) as raised:
        protected.ltr.start(SERVER_ID, f"{NAME}2", grant_of())

    assert raised.value.code == "ServerIsBusy"
    assert protected.accepted() == [NAME]


@pytest.mark.parametrize("code", ["ServerIsBusy", "ServerBusy", "ServerNotReadyForLongTermBackup"])
def test_a_busy_server_is_known_by_its_code(protected: ArmRun, code: str) -> None:
    protected.refuse_start_as(code)

    with pytest.raises(ConflictError) as raised:
        protected.ltr.start(SERVER_ID, NAME, grant_of())

    assert raised.value.code == code
    assert protected.accepted() == []


def test_a_stopped_server_starts_no_backup(protected: ArmRun) -> None:
    protected.set_state("Stopped")

    with pytest.raises(ConflictError) as raised:
        protected.ltr.start(SERVER_ID, NAME, grant_of())

    assert raised.value.code == "ServerNotReadyForLongTermBackup"


def test_a_throttled_start_says_how_long_to_wait(protected: ArmRun) -> None:
    protected.throttle(17)

    with pytest.raises(ThrottledError) as raised:
        protected.ltr.start(SERVER_ID, NAME, grant_of())

    assert raised.value.retry_after_seconds == 17
    assert protected.accepted() == []


@pytest.mark.parametrize("accepted", [True, False], ids=["accepted", "not accepted"])
def test_a_start_without_an_answer_is_never_repeated(protected: ArmRun, accepted: bool) -> None:
    protected.keep_running()
    protected.lose_answer(accepted=accepted)

    with pytest.raises(OutcomeUnknownError) as raised:
        protected.ltr.start(SERVER_ID, NAME, grant_of())

    assert PLANTED not in str(raised.value)
    assert protected.accepted() == ([NAME] if accepted else [])
    assert (protected.ltr.find(SERVER_ID, NAME) is not None) is accepted


def test_too_few_containers_are_refused(protected: ArmRun) -> None:
    with pytest.raises(InvalidInputError):
        protected.ltr.start(SERVER_ID, NAME, type(grant_of())([]))

    assert protected.accepted() == []


def test_a_deleted_server_knows_no_backup(protected: ArmRun) -> None:
    protected.delete_server()

    assert protected.ltr.find(SERVER_ID, NAME) is None
    with pytest.raises(NotFoundError):
        protected.ltr.list_by_server(SERVER_ID)
    # Azure deletes the roles with the server, and looks at the caller's rights first.
    with pytest.raises((NotFoundError, NotAuthorizedError)):
        protected.ltr.start(SERVER_ID, NAME, grant_of())


# Azure alone: what only an SDK over a wire can do wrong --------------------------------------------------------------


@pytest.mark.parametrize("server_id", ["", "pg-orders", f"{SERVER_ID}/databases/x", ACCOUNT_ID])
def test_what_is_no_server_id_is_refused_before_any_request(emulator: EmulatorRun, server_id: str) -> None:
    with pytest.raises(InvalidInputError, match="no resource id of a flexible server"):
        emulator.servers.get(server_id)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 500])
def test_a_signature_in_an_answer_never_reaches_our_error(emulator: EmulatorRun, status: int) -> None:
    emulator.roles.grant(SERVER_ID)
    emulator.order("error-before", START, status=status, code="Planted", message=LEAK)

    with pytest.raises(VaultError) as raised:
        emulator.ltr.start(SERVER_ID, NAME, grant_of())

    stored = "".join(traceback.format_exception(raised.value))
    assert "sig=" not in stored
    assert PLANTED not in stored


def test_a_read_is_repeated_but_a_pause_is_left_to_the_caller(emulator: EmulatorRun) -> None:
    emulator.order("error-before", "pg-orders", status=503, code="ServiceUnavailable")
    assert emulator.servers.get(SERVER_ID).state == "Ready"

    emulator.order("throttle", "pg-orders", retryAfterSeconds=300)
    with pytest.raises(ThrottledError) as raised:
        emulator.servers.get(SERVER_ID)
    assert raised.value.retry_after_seconds == 300


def test_a_new_identity_that_entra_does_not_know_yet_may_pass(emulator: EmulatorRun) -> None:
    emulator.order("error-before", "roleAssignments", status=400, code="PrincipalNotFound", message="unknown")

    with pytest.raises(TransientError) as raised:
        emulator.roles.grant(SERVER_ID)

    assert raised.value.code == "PrincipalNotFound"


def test_the_same_role_under_another_name_is_enough_and_is_not_ours(emulator: EmulatorRun) -> None:
    emulator.order("error-before", "roleAssignments", status=409, code="RoleAssignmentExists", message="exists")

    assert emulator.roles.grant(SERVER_ID) == emulator.roles.planned_assignments(SERVER_ID)[1:]


@pytest.mark.parametrize("suffix", ["", "/blobServices/default/containers/restores"], ids=["account", "container"])
def test_a_storage_account_is_shown_for_its_own_endpoint_only(emulator: EmulatorRun, suffix: str) -> None:
    found = emulator.storage_accounts.find(f"{ACCOUNT_ID}{suffix}", f"https://127.0.0.1:1/{ACCOUNT}")

    assert found is not None
    assert found.id == ACCOUNT_ID
    assert "public network access Enabled, network default Allow, account keys allowed" in found.describe()
    assert emulator.storage_accounts.find(ACCOUNT_ID, "https://127.0.0.1:1/other") is None


def test_the_settings_of_a_storage_account_are_those_that_decide_about_copies(emulator: EmulatorRun) -> None:
    endpoint = f"https://127.0.0.1:1/{ACCOUNT}"
    plain = AccountSettings(id=ACCOUNT_ID, kind="StorageV2", sku="Standard_LRS", allows_cross_tenant_replication=False)
    assert emulator.storage_accounts.find(ACCOUNT_ID, endpoint) == plain

    emulator.change_account(
        kind="FileStorage",
        sku="Premium_LRS",
        publicNetworkAccess="Disabled",
        defaultAction="Deny",
        allowSharedKeyAccess=False,
        allowCrossTenantReplication=True,
        allowedCopyScope="AAD",
    )

    assert emulator.storage_accounts.find(ACCOUNT_ID, endpoint) == AccountSettings(
        id=ACCOUNT_ID,
        kind="FileStorage",
        sku="Premium_LRS",
        public_network_access="Disabled",
        default_action="Deny",
        allows_account_keys=False,
        allows_cross_tenant_replication=True,
        copy_scope="AAD",
    )


def test_a_storage_account_that_arm_does_not_show_is_nothing(emulator: EmulatorRun) -> None:
    hidden = ACCOUNT_ID.replace("landing", "hidden")

    assert emulator.storage_accounts.find(hidden, "https://127.0.0.1:1/hidden") is None


def surroundings(emulator: EmulatorRun, endpoint: str, credential: TokenCredential) -> AzureSurroundings:
    return AzureSurroundings(emulator.arm, credential, SUBSCRIPTION, endpoint)


def test_the_redundancy_of_the_vault_account_is_read_once_in_a_while(
    emulator: EmulatorRun, identity: IdentityService
) -> None:
    control = Credential(identity=identity, person=CONTROL)
    found = surroundings(emulator, f"https://127.0.0.1:1/{ACCOUNT}/", control)
    facts = found.describe()
    assert facts == VaultFacts(redundancy="LocallyRedundant", principal_id=CONTROL.object_id)
    assert [found.describe() for _ in range(3)] == [facts] * 3
    assert emulator.requests["GET StorageAccounts_List"] == 1


def test_what_arm_does_not_show_of_the_vault_account_is_not_known_and_not_asked_again_at_once(
    emulator: EmulatorRun, identity: IdentityService
) -> None:
    control = Credential(identity=identity, person=CONTROL)
    found = surroundings(emulator, "https://127.0.0.1:1/other", control)
    facts = [found.describe() for _ in range(3)]
    assert facts == [VaultFacts(principal_id=CONTROL.object_id)] * 3
    assert emulator.requests["GET StorageAccounts_List"] == 1


def test_an_arm_that_cannot_be_asked_fails_no_read_of_the_vault(
    emulator: EmulatorRun, identity: IdentityService
) -> None:
    emulator.order("error-before", "Microsoft.Storage/storageAccounts", status=409, code="Odd", message="odd")
    control = Credential(identity=identity, person=CONTROL)
    assert surroundings(emulator, f"https://127.0.0.1:1/{ACCOUNT}", control).describe() == VaultFacts()
