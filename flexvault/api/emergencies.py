"""The emergency operation: what the revocation of an account's keys would kill, and the owner's command for it."""

from flexvault.api import shapes
from flexvault.api.bodies import Reader
from flexvault.api.call import Answer, Call
from flexvault.api.times import wire_time
from flexvault.services.emergency import OwnAccount, request_key_revocation


def revoke_keys(call: Call) -> Answer:
    """Answer the command that revokes an account's keys, and the jobs that it kills; the vault revokes nothing."""
    body = call.body(shapes.KEY_REVOCATION)
    reader = Reader(body)
    reader.expect("account", *OwnAccount)
    reason = reader.text("reason")
    reader.finish("revocation")
    account = OwnAccount(str(body["account"]).lower())
    found = request_key_revocation(call.vault, account, reason, call.actor(), call.request_key(body))
    return Answer(
        body={
            "account": found.account.value,
            "accountName": found.account_name,
            "reason": found.reason,
            "command": found.command,
            "requestedAt": wire_time(found.looked_at),
            "jobs": [
                {
                    "jobId": job.job_id,
                    "operation": job.operation.value,
                    "backupInstance": job.instance,
                    "step": job.step.value,
                    "consequence": job.consequence,
                }
                for job in found.jobs
            ],
        }
    )
