"""Get User Delegation Key (get-user-delegation-key)."""

from datetime import datetime, timedelta
from http import HTTPStatus
from xml.etree import ElementTree as ET

from local_cloud.storage_gateway.access import Caller
from local_cloud.storage_gateway.answer import Answer
from local_cloud.storage_gateway.call import Call
from local_cloud.storage_gateway.gateway import Gateway
from local_cloud.storage_gateway.passing import pass_through
from local_cloud.storage_gateway.problems import StorageError
from local_cloud.storage_gateway.rights import Kind
from local_cloud.storage_gateway.wire import element, iso_time, parse_iso_time

LONGEST = timedelta(days=7)


async def get_user_delegation_key(gateway: Gateway, call: Call, caller: Caller) -> Answer:
    """Answer a key; those of the vault accounts are this gateway's own, all others Azurite's.

    "The value must be a valid date and time within seven days of the current time": Azurite does not check it.
    """
    body = await call.request.body()
    starts_at, expires_at = _read(body, gateway.clock.now())
    if call.account.kind is not Kind.VAULT:
        return await pass_through(gateway, call, caller, body)
    facts = {
        "skoid": caller.object_id,
        "sktid": gateway.config.tenant_id,
        "skt": iso_time(starts_at),
        "ske": iso_time(expires_at),
        "sks": "b",
        "skv": call.header("x-ms-version"),
    }
    names = ("SignedOid", "SignedTid", "SignedStart", "SignedExpiry", "SignedService", "SignedVersion")
    elements = [element(name, value) for name, value in zip(names, facts.values(), strict=True)]
    elements.append(element("Value", gateway.shared_access.make_key(call.account.name, facts)))
    text = f'<?xml version="1.0" encoding="utf-8"?><UserDelegationKey>{"".join(elements)}</UserDelegationKey>'
    return Answer(headers={"Content-Type": "application/xml"}, body=text.encode())


def _read(body: bytes, now: datetime) -> tuple[datetime, datetime]:
    """Read from when to when a key is asked for.

    Raises:
        StorageError: 400.
    """
    try:
        found = ET.fromstring(body)
        start, expiry = found.findtext("Start") or "", found.findtext("Expiry") or ""
        starts_at = parse_iso_time(start) if start else now
        expires_at = parse_iso_time(expiry)
    except (ET.ParseError, ValueError):
        raise StorageError(HTTPStatus.BAD_REQUEST, "InvalidXmlDocument", "XML specified is not valid.") from None
    if not (now < expires_at <= now + LONGEST and starts_at <= min(expires_at, now + LONGEST)):
        message = "The value for one of the XML nodes is not in the correct format: Start and Expiry within seven days."
        raise StorageError(HTTPStatus.BAD_REQUEST, "InvalidXmlNodeValue", message)
    return starts_at, expires_at
