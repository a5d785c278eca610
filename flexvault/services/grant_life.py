"""How long an attempt's SAS lives, and whether a backup can be done within the longest one."""

from typing import Any

from flexvault.domain.azure_codes import DURATION_LIMIT
from flexvault.domain.doctor import check_life
from flexvault.domain.instance import Instance
from flexvault.domain.job import Failure
from flexvault.domain.sas_life import LONGEST, GrantLife, describe_duration, life_for
from flexvault.domain.server_checks import check_chain, check_size
from flexvault.ports import Ports, Server
from flexvault.services import catalog
from flexvault.services.progress import warning
from flexvault.services.source_checks import warnings_of


def judge_life(ports: Ports, instance: Instance, server: Server, chain: str) -> tuple[GrantLife, list[dict[str, Any]]]:
    """Answer the life of the grant, and what there is to warn of.

    What is expected is how long the server wrote the newest backup of this chain: a server made anew has none.
    """
    points = catalog.list_sealed_points(ports, instance.key)
    grant = life_for(catalog.expected_run(ports, points, chain))
    found = [*check_size(server), *check_chain(server, catalog.is_recreated(points, chain)), *check_life(server, grant)]
    warnings = warnings_of(found)
    if not grant.fits:
        warnings.append(_tried_warning(grant, server))
    return grant, warnings


def cannot_fit(grant: GrantLife, server: Server) -> Failure:
    """Say why a backup is not begun whose server would still write when the longest SAS has ended."""
    expected = describe_duration(grant.expected) if grant.expected is not None else ""
    return Failure(
        code=DURATION_LIMIT,
        message=f"a backup of server '{server.name}' is expected to take {expected}, as the newest one did; a SAS "
        f"lives at most {describe_duration(LONGEST)}, and after it the server can write no more: nothing was started",
        recommended_action="make the backup shorter: move or remove data, or give the server more vCores and IOPS; "
        "then back up on demand, which is tried whatever is expected and becomes the new expectation",
    )


def _tried_warning(grant: GrantLife, server: Server) -> dict[str, Any]:
    """Say of a backup on demand what would be an error of a scheduled one."""
    expected = describe_duration(grant.expected) if grant.expected is not None else ""
    text = (
        f"server '{server.name}' is expected to write for {expected}, longer than the {describe_duration(LONGEST)} "
        "that a SAS can live: it is tried because it was asked for on demand"
    )
    return warning(DURATION_LIMIT, text, server.id)
