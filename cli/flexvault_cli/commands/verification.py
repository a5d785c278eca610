"""The command that proves that nothing was changed."""

import argparse

from flexvault_cli.api import VaultApi
from flexvault_cli.commands.lookup import find_instance
from flexvault_cli.errors import CliError
from flexvault_cli.output import show_json, show_lines, show_progress, show_rows
from flexvault_cli.verification_views import FINDINGS, FINDINGS_DROPPED, Verification
from flexvault_cli.wire import Json


def verify_vault(api: VaultApi, options: argparse.Namespace) -> None:
    """Verify the vault from its storage: journal, roots, manifests, files; exit 1 when something is not as recorded."""
    request: Json = {"deep": True} if options.deep else {}
    if options.instance:
        request["instance"] = find_instance(api, options.instance)["name"]
    verification = Verification()
    while not verification.is_complete:
        place = {"continueFrom": verification.continue_from} if verification.continue_from else {}
        verification.add(api.post("/vault/verify", {**request, **place}))
        if not verification.is_complete:
            show_progress(f"verified so far: {verification.describe_checked()}")
    _show(verification, as_json=options.as_json)
    if verification.verdict == "Broken":
        broken = [finding for finding in verification.findings if finding.get("severity") == "Error"]
        actions = [f"look at {finding.get('subject')}: {finding.get('recommendedAction')}" for finding in broken[:3]]
        raise CliError(f"{len(broken)} thing(s) are not as they were recorded", code="VaultBroken", actions=actions)
    if verification.verdict != "Intact":
        text = f"{len(verification.not_checked)} thing(s) could not be read, so nothing is proven of them"
        raise CliError(text, code="NotAllChecked", actions=["mend what the reasons say, then the same command again"])


def _show(verification: Verification, *, as_json: bool) -> None:
    if as_json:
        show_json(verification.to_json())
        return
    rows = verification.findings
    show_rows(rows, FINDINGS, as_json=False, dropped_first=FINDINGS_DROPPED, empty="nothing is wrong")
    show_lines([f"not checked: {found.get('subject')}: {found.get('reason')}" for found in verification.not_checked])
    show_lines([f"verified: {verification.describe_checked()}", f"verdict: {verification.verdict}"])
    show_lines([verification.describe_reach()])
