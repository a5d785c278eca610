"""Operations on backup policies."""

import re
from collections.abc import Sequence
from http import HTTPStatus

from flexvault.api import shapes
from flexvault.api.bodies import conform, read_object
from flexvault.api.call import Answer, Call
from flexvault.api.ignored_members import refuse_misspelt, show_ignored
from flexvault.api.pages import answer_page, read_page
from flexvault.api.simulations import show_policy_warnings
from flexvault.api.views import show_policy
from flexvault.domain.errors import InvalidInputError
from flexvault.domain.instance import StoredPolicy
from flexvault.domain.policy import parse_policy
from flexvault.services import catalog, policies


def list_policies(call: Call) -> Answer:
    """List policies by name."""
    page = read_page(call, _PLACE)
    found = catalog.list_policies(call.vault.ports, after=page.after)
    return answer_page(call, page, found, catalog.policy_place, lambda policy: show_policy(call.ids, policy))


_PLACE = re.compile(r"[ -~]{1,1000}")


def get_policy(call: Call) -> Answer:
    """Show one policy."""
    return _answer(call, catalog.get_policy(call.vault.ports, call.params["policy"]))


def put_policy(call: Call) -> Answer:
    """Create or change a policy; the answer is 200 also for a new one, as SDKs expect."""
    name = call.params["policy"]
    sent = read_object(call.request.body)
    refuse_misspelt(sent)
    body = conform(sent, shapes.POLICY)
    etag = _find_etag(call, name)
    call.require_preconditions(etag, f"the policy '{name}'")
    is_new = etag is None and "if-none-match" in call.request.headers
    policy = policies.put_policy(
        call.vault, name, body.get("properties"), call.actor(), if_match=_if_match(call, etag), is_new=is_new
    )
    return _answer(call, policy, show_ignored(sent))


def delete_policy(call: Call) -> Answer:
    """Delete a policy that no instance uses; 204 when there was none."""
    name = call.params["policy"]
    etag = _find_etag(call, name)
    call.require_preconditions(etag, f"the policy '{name}'")
    was_there = policies.delete_policy(call.vault, name, call.actor(), if_match=_if_match(call, etag))
    return Answer(status=HTTPStatus.OK if was_there else HTTPStatus.NO_CONTENT)


def _answer(call: Call, policy: StoredPolicy, ignored: Sequence[dict[str, str]] = ()) -> Answer:
    """Show a policy; beside its properties, where Azure's clients do not look, what in it has no effect."""
    body = show_policy(call.ids, policy)
    try:
        warnings = show_policy_warnings(parse_policy(policy.properties))
    except InvalidInputError:
        warnings = []  # an earlier version's policy that this one does not read is shown as it is
    warnings = [*ignored, *warnings]
    return Answer(body={**body, "warnings": warnings} if warnings else body, etag=policies.policy_etag(policy))


def _if_match(call: Call, etag: str | None) -> str | None:
    """Answer the ETag by which preconditions were judged, where there are any: what is changed must still have it."""
    return etag if call.request.headers.get("if-match") else None


def _find_etag(call: Call, name: str) -> str | None:
    policy = catalog.find_policy(call.vault.ports, name)
    return None if policy is None else policies.policy_etag(policy)
