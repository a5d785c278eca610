"""Back up now."""

from collections.abc import Mapping
from typing import Any

from flexvault.api import shapes
from flexvault.api.accepting import accept
from flexvault.api.bodies import Reader
from flexvault.api.call import Answer, Call
from flexvault.api.instances import find_named
from flexvault.domain.instance import Instance
from flexvault.services.requests import Claimed, back_up_now


def back_up(call: Call) -> Answer:
    """Claim an on-demand backup; the operation has ended, the job goes on."""
    instance = find_named(call)
    body = call.body(shapes.BACKUP)
    options: Any = body.get("backupRuleOptions")
    reader = Reader(options, "backupRuleOptions")
    rule_name = reader.text("ruleName")
    tag = ""
    if isinstance(options, Mapping) and "triggerOption" in options:
        tag = reader.inner("triggerOption").text("retentionTagOverride", optional=True)
    reader.finish("on-demand backup")
    claimed = back_up_now(call.vault, instance.id, rule_name, tag, call.request_key(body), actor=call.actor())
    return accept_job(call, instance, claimed)


def accept_job(call: Call, instance: Instance, claimed: Claimed) -> Answer:
    """Answer a job that was claimed, and have it begin."""
    answer = accept(call, claimed.job_id, instance.id, job_id=claimed.job_id)
    if claimed.open_key:
        call.begin(claimed.open_key)
    return answer
