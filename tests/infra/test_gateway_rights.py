"""The local cloud's storage gateway grants exactly what the vault's deployment grants."""

import pytest

from local_cloud.storage_gateway.rights import DEPLOYMENT, GRANTS, ROLES, Grant, Kind, Role
from tests.infra.bicep import Unknown
from tests.infra.cloud import CONTROL, DEFINITION, RETENTION, WRITER, Cloud
from tests.infra.grants import BLOB_CONTRIBUTOR, list_vault_grants, texts

PRINCIPALS = {CONTROL: "control", WRITER: "writer", RETENTION: "retention"}
SCOPES = {
    "vault": (Kind.VAULT, ""),
    **{f"container {name}": (Kind.VAULT, name) for name in ("points", "manifests", "journal", "plans")},
    "landing": (Kind.LANDING, ""),
}
CUSTOM_ROLES = (Role.CONTROL, Role.WRITER, Role.RETENTION, Role.RECORDER, Role.CLEANER)


@pytest.fixture(scope="module")
def cloud() -> Cloud:
    return Cloud()


def test_the_custom_roles_hold_what_the_template_defines(cloud: Cloud) -> None:
    definitions = cloud.all(DEFINITION)
    assert len(definitions) == len(CUSTOM_ROLES)

    for role, definition in zip(CUSTOM_ROLES, definitions, strict=True):
        name = definition.get("properties.roleName")
        assert f"flexvault {role} " in (name.text if isinstance(name, Unknown) else str(name))
        permissions = definition.get("properties.permissions")
        assert isinstance(permissions, list)
        [permission] = permissions
        assert isinstance(permission, dict)
        assert ROLES[role] == texts(permission["actions"]) | texts(permission["dataActions"])


def test_the_identities_have_the_template_s_assignments_and_a_restore_target(cloud: Cloud) -> None:
    deployed: set[tuple[str, Grant]] = set()
    for resource, (scope, role_id) in list_vault_grants(cloud):
        numbered = {f"definitions[{number}].id": role for number, role in enumerate(CUSTOM_ROLES)}
        role = Role.BLOB_CONTRIBUTOR if role_id == BLOB_CONTRIBUTOR else numbered[role_id]
        deployed.add((PRINCIPALS[str(resource.get("properties.principalId"))], Grant(role, *SCOPES[scope])))

    restore = {("writer", Grant(Role.BLOB_CONTRIBUTOR, Kind.RESTORE))}
    assert {(who, grant) for who in PRINCIPALS.values() for grant in GRANTS[who]} == deployed | restore


def test_one_identity_for_all_holds_the_rights_of_the_three() -> None:
    assert set(GRANTS["single"]) == {grant for who in PRINCIPALS.values() for grant in GRANTS[who]}


def test_nobody_else_has_rights_on_the_vault_or_the_landing_account() -> None:
    others = set(GRANTS) - set(PRINCIPALS.values()) - {"single", "vault-owner", DEPLOYMENT}

    assert others == {"host", "host-front", "host-janitor", "source-owner"}
    assert not [grant for who in others for grant in GRANTS[who] if grant.kind in {Kind.VAULT, Kind.LANDING}]
