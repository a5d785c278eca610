"""The facts that the doctor and the configuration of protection judge: of the server by ARM, of its backups by rows."""

from collections.abc import Sequence

from flexvault.domain.doctor import BackedUp, Protection, ServerFacts
from flexvault.domain.instance import Instance, RecoveryPoint
from flexvault.domain.policy import parse_policy
from flexvault.domain.sas_life import life_for
from flexvault.domain.schedule import gaps_between_slots
from flexvault.ports import Server
from flexvault.services import catalog
from flexvault.services.source_checks import ask_azure_backup
from flexvault.services.vault import Vault

COMPARED = 30
"""So many backups are looked at for how they grow."""
RESERVE_OF_RPO = 1.25


def gather_facts(
    vault: Vault, server: Server, instance_key: str = "", points: Sequence[RecoveryPoint] = ()
) -> ServerFacts:
    """Ask whether Azure Backup protects a server, too, and whether it is the one that the instance's points are of.

    Args:
        vault: The vault.
        server: As ARM shows it now.
        instance_key: 32 hex digits of its backup instance; empty where there is none.
        points: The instance's recovery points that exist.
    """
    chain = catalog.find_chain(vault.ports, instance_key, server)
    return ServerFacts(
        server=server,
        vault_location=vault.settings.location,
        azure_backup=ask_azure_backup(vault.ports.servers, server.id),
        is_recreated=catalog.is_recreated(points, chain),
    )


def gather_protection(vault: Vault, instance: Instance, server: Server, points: Sequence[RecoveryPoint]) -> Protection:
    """Read what there is of the server's backups, and how far apart the policy wants them.

    Args:
        vault: The vault.
        instance: The backup instance.
        server: As ARM shows it now.
        points: The instance's recovery points that exist, newest first.

    Raises:
        NotFoundError: The policy's row is gone.
    """
    ports = vault.ports
    chain = catalog.find_chain(ports, instance.key, server)
    policy = parse_policy(catalog.get_policy(ports, instance.policy_name).properties)
    _, longest = gaps_between_slots(policy.intervals, policy.zone)
    own = [point for point in points if point.chain == chain][:COMPARED]
    return Protection(
        instance=instance.name,
        backups=[BackedUp(at=point.recovery_point_time, size_bytes=point.size_bytes) for point in own],
        grant=life_for(catalog.expected_run(ports, points, chain)),
        rpo=longest * RESERVE_OF_RPO,
        counts_from=catalog.find_slots_from(ports, instance.key),
    )
