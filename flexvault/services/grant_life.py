"""How long an attempt's SAS lives, and whether a backup can be done within the longest one."""

from typing import Any

from flexvault.domain.azure_codes import DURATION_LIMIT
from flexvault.domain.instance import Instance
from flexvault.domain.job import Failure
from flexvault.domain.sas_life import LONGEST, GrantLife, describe_duration, life_for
from flexvault.domain.server_checks import check_chain
from flexvault.ports import Ports, Server
from flexvault.services import catalog
from flexvault.services.progress import warning
from flexvault.services.source_checks import size_warnings, warnings_of


def judge_life(ports: Ports, instance: Instance, server: Server, chain: str) -> tuple[GrantLife, list[dict[str, Any]]]:
    """Answer the life of the grant, and what there is to warn of.

    What is expected is how long the server wrote the newest backup of this chain: a server made anew has none.
    """
    points = catalog.list_sealed_points(ports, instance.key)
    warnings: list[dict[str, Any]] = list(size_warnings(server))
    warnings += warnings_of(check_chain(server, catalog.is_recreated(points, chain)))
    grant = life_for(catalog.expected_run(ports, points, chain))
    if grant.is_cut:
        warnings.append(_cut_warning(grant, server))
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


def _cut_warning(grant: GrantLife, server: Server) -> dict[str, Any]:
    expected = describe_duration(grant.expected) if grant.expected is not None else ""
    if grant.fits:
        text = (
            f"the SAS of this backup lives {describe_duration(grant.life)}, the longest there is: server "
            f"'{server.name}' is expected to write for {expected}, and four times that does not fit"
        )
        return warning("SasLifeIsLimited", text, server.id)
    text = (
        f"server '{server.name}' is expected to write for {expected}, longer than the {describe_duration(LONGEST)} "
        "that a SAS can live: it is tried because it was asked for on demand"
    )
    return warning(DURATION_LIMIT, text, server.id)
