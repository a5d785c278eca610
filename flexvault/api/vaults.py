"""Operations on the vault itself and on its settings."""

import re
from collections.abc import Iterator
from typing import Any

from flexvault.api import shapes
from flexvault.api.bodies import Reader, read_object
from flexvault.api.call import Answer, Call
from flexvault.api.pages import answer_page, read_page
from flexvault.api.vault_bodies import CHANGEABLE, TAGS, read_vault_change
from flexvault.api.views import show_vault
from flexvault.domain.errors import ConflictError, InvalidInputError, NotFoundError
from flexvault.domain.json_values import is_list, is_object
from flexvault.domain.vault_settings import VaultSettings
from flexvault.services import vault_settings
from flexvault.services.believed_settings import read_believed_settings

_OWN = frozenset({"etag"})
"""Members of the vault that a client may send back as it likes: preconditions are headers."""


def get_alive(_call: Call) -> Answer:
    """Say that the app answers; nothing is read and nothing is told."""
    return Answer(body={"status": "alive"})


def get_vault(call: Call) -> Answer:
    """Show the vault."""
    return _answer(call, read_believed_settings(call.vault.ports))


def list_vaults(call: Call) -> Answer:
    """List the vaults of the group or subscription: the one that this app is."""
    page = read_page(call, _OWN_NAME)
    own = () if page.after else (read_believed_settings(call.vault.ports),)
    return answer_page(call, page, own, lambda _settings: call.ids.vault_name, lambda settings: _show(call, settings))


_OWN_NAME = re.compile(r".+")


def get_deleted_vault(call: Call) -> Answer:
    """Show no soft-deleted vault: there is none."""
    name = call.params["deleted"]
    raise NotFoundError(
        f"there is no deleted vault '{name}': a flexvault that was deployed is deleted with its resource group",
        code="ResourceNotFound",
        target=name,
        hint="its recovery points stay in the vault account as long as that account does",
    )


def put_vault(call: Call) -> Answer:
    """Change the vault as PATCH does; the deployment made it, and makes no other one.

    Raises:
        ConflictError: code OneVaultPerDeployment: another name.
    """
    name = call.params["name"]
    if name.lower() != call.ids.vault_name.lower():
        raise ConflictError(
            f"this deployment is the vault '{call.ids.vault_name}' and cannot make a vault '{name}': one deployment is "
            "one vault",
            code="OneVaultPerDeployment",
            target=name,
            hint=f"PUT {call.ids.vault}, or deploy infra/main.bicep once more with vaultName '{name}'",
        )
    return patch_vault(call)


def patch_vault(call: Call) -> Answer:
    """Change the vault's settings, several in one entry; whatever else would be changed is refused by its name."""
    before = read_believed_settings(call.vault.ports)
    shown = _show(call, before)
    body = call.body(shapes.VAULT)
    call.require_preconditions(shown["eTag"], f"the vault '{call.ids.vault_name}'")
    # The shape knows only what may be changed; what it leaves out is compared here.
    others = list(_find_changes(read_object(call.request.body), shown, ""))
    if others:
        raise InvalidInputError(
            f"this version cannot change {', '.join(f"'{path}'" for path in others)} of the vault",
            target=others[0],
            hint="leave these members out or send them as GET shows them; what can be changed is "
            f"{', '.join([*CHANGEABLE, TAGS])}",
        )
    change = read_vault_change(body)
    return _answer(call, vault_settings.change_vault(call.vault, change, call.actor(), before=before))


def get_poisoning_guard(call: Call) -> Answer:
    """Show whether the poisoning guard is on."""
    return Answer(body=_show_guard(read_believed_settings(call.vault.ports)))


def put_poisoning_guard(call: Call) -> Answer:
    """Turn the poisoning guard on, or off, which needs a second person."""
    body = call.body(shapes.POISONING_GUARD)
    reader = Reader(body)
    reader.expect("state", "On", "Off")
    reader.finish("poisoning guard")
    is_on = str(body["state"]).lower() == "on"
    return Answer(body=_show_guard(vault_settings.set_poisoning_guard(call.vault, is_on=is_on, actor=call.actor())))


def _show(call: Call, settings: VaultSettings) -> dict[str, Any]:
    return show_vault(call.ids, settings, call.vault.ports.surroundings.describe())


def _answer(call: Call, settings: VaultSettings) -> Answer:
    shown = _show(call, settings)
    return Answer(body=shown, etag=shown["eTag"])


def _show_guard(settings: VaultSettings) -> dict[str, Any]:
    return {"state": "On" if settings.is_poisoning_guarded else "Off"}


def _find_changes(sent: Any, shown: Any, path: str) -> Iterator[str]:
    """Answer the paths of members that are not as they are shown; null and what is empty change nothing."""
    if path.lower() in _MAY_CHANGE or not _says_something(sent):
        return
    if is_object(sent):
        known = {name.lower(): member for name, member in shown.items()} if is_object(shown) else {}
        for name, member in sent.items():
            if name.lower() not in _OWN or path:
                yield from _find_changes(member, known.get(name.lower()), f"{path}.{name}" if path else name)
    elif is_list(sent) and is_list(shown) and len(sent) == len(shown):
        for index, (member, own) in enumerate(zip(sent, shown, strict=True)):
            yield from _find_changes(member, own, f"{path}[{index}]")
    elif not _is_same(sent, shown):
        yield path


_MAY_CHANGE = frozenset(path.lower() for path in [*CHANGEABLE, TAGS])


def _says_something(sent: Any) -> bool:
    return sent is not None and sent not in ({}, [])


def _is_same(sent: Any, shown: Any) -> bool:
    if isinstance(sent, str) and isinstance(shown, str):
        return sent.lower() == shown.lower()
    return isinstance(sent, bool) is isinstance(shown, bool) and sent == shown
