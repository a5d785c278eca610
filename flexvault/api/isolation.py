"""How isolated the vault is."""

from flexvault.api.call import Answer, Call
from flexvault.services.isolation import examine_isolation


def get_isolation(call: Call) -> Answer:
    """Show what keeps the vault apart from its sources, and what does not."""
    found = examine_isolation(call.vault)
    return Answer(
        body={
            "isIsolated": found.is_isolated,
            "role": found.role.value,
            "identities": [
                {
                    "name": identity.name,
                    "clientId": identity.client_id,
                    "objectId": identity.object_id or None,
                    "tenantId": identity.tenant_id or None,
                }
                for identity in found.identities
            ],
            "findings": [
                {
                    "code": finding.code,
                    "isOk": finding.is_ok,
                    "message": finding.message,
                    "remedy": finding.remedy or None,
                }
                for finding in found.findings
            ],
        }
    )
