"""What can be had here: names of vaults, and features of Azure Backup."""

import re
from typing import Any

from flexvault.api import shapes
from flexvault.api.bodies import Reader
from flexvault.api.call import Answer, Call
from flexvault.api.resource_ids import VAULT_TYPE
from flexvault.api.routing import require_own_location
from flexvault.domain.policy import DATASOURCE_TYPE


def check_name_availability(call: Call) -> Answer:
    """Say whether a vault could be created under a name: never here, where one app is one vault."""
    require_own_location(call.params, call.ids)
    body = call.body(shapes.NAME)
    reader = Reader(body)
    name = reader.text("name")
    reader.expect("type", VAULT_TYPE)
    reader.finish("question for a vault's name")
    reason, message = _judge(name, call.ids.vault_name)
    return Answer(body={"nameAvailable": False, "reason": reason, "message": message})


def check_feature_support(call: Call) -> Answer:
    """Say which kinds of sources are backed up."""
    require_own_location(call.params, call.ids)
    body = call.body(shapes.FEATURE)
    reader = Reader(body)
    reader.expect("objectType", "FeatureValidationRequest")
    reader.expect("featureType", "DataSourceType")
    name = reader.text("featureName")
    reader.finish("question for a feature")
    is_ours = name.lower() == DATASOURCE_TYPE.lower()
    feature: dict[str, Any] = {
        "featureName": name,
        "supportStatus": "GenerallyAvailable" if is_ours else "NotSupported",
        "exposureControlledFeatures": [],
    }
    shown = {"objectType": "FeatureValidationResponse", "featureType": "DataSourceType", "features": [feature]}
    return Answer(body=shown)


def _judge(name: str, own: str) -> tuple[str, str]:
    if not _VAULT_NAME.fullmatch(name):
        rule = "2 to 50 letters, digits and dashes, beginning with a letter and ending with a letter or a digit"
        return "Invalid", f"'{name[:100]}' is no name of a backup vault: it has {rule}"
    if name.lower() == own.lower():
        return "AlreadyExists", f"the backup vault '{own}' exists: it is the one that this app serves"
    text = f"this app serves the one backup vault '{own}' and cannot create '{name}'"
    return "NotSupported", f"{text}; deploy another app for another vault"


_VAULT_NAME = re.compile(r"[A-Za-z][-A-Za-z0-9]{0,48}[A-Za-z0-9]", re.ASCII)
