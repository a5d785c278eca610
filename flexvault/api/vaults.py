"""Operations on the vault itself and on its settings."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from flexvault.api import shapes
from flexvault.api.bodies import Reader, read_object
from flexvault.api.call import Answer, Call
from flexvault.api.views import show_vault
from flexvault.domain.errors import InvalidInputError
from flexvault.domain.vault_settings import Immutability, VaultSettings
from flexvault.services import vault_settings
from flexvault.services.believed_settings import read_believed_settings

_STATE = "properties.securitySettings.immutabilitySettings.state"
_OWN = frozenset({"etag"})
"""Members of the vault that a client may send back as it likes: preconditions are headers."""


def get_alive(_call: Call) -> Answer:
    """Say that the app answers; nothing is read and nothing is told."""
    return Answer(body={"status": "alive"})


def get_vault(call: Call) -> Answer:
    """Show the vault."""
    return _answer(call, read_believed_settings(call.vault.ports))


def patch_vault(call: Call) -> Answer:
    """Change the vault's immutability; whatever else would be changed is refused by its name."""
    settings = read_believed_settings(call.vault.ports)
    shown = show_vault(call.ids, settings)
    body = call.body(shapes.VAULT)
    call.require_preconditions(shown["eTag"], f"the vault '{call.ids.vault_name}'")
    # The shape knows only what may be changed; what it leaves out is compared here.
    others = list(_find_changes(read_object(call.request.body), shown, ""))
    if others:
        raise InvalidInputError(
            f"this version cannot change {', '.join(f"'{path}'" for path in others)} of the vault",
            target=others[0],
            hint=f"leave these members out or send them as GET shows them; what can be changed is {_STATE}",
        )
    state = _read_state(body)
    if state is not None:
        settings = vault_settings.set_immutability(call.vault, state, call.actor())
    return _answer(call, settings)


def get_poisoning_guard(call: Call) -> Answer:
    """Show whether the poisoning guard is on."""
    return Answer(body=_show_guard(read_believed_settings(call.vault.ports)))


def put_poisoning_guard(call: Call) -> Answer:
    """Turn the poisoning guard on, or off, which needs a second person."""
    body = call.body(shapes.POISONING_GUARD)
    reader = Reader(body, "poisoningGuard")
    reader.expect("state", "On", "Off")
    reader.finish("poisoning guard")
    is_on = str(body["state"]).lower() == "on"
    return Answer(body=_show_guard(vault_settings.set_poisoning_guard(call.vault, is_on=is_on, actor=call.actor())))


def _answer(call: Call, settings: VaultSettings) -> Answer:
    shown = show_vault(call.ids, settings)
    return Answer(body=shown, etag=shown["eTag"])


def _show_guard(settings: VaultSettings) -> dict[str, Any]:
    return {"state": "On" if settings.is_poisoning_guarded else "Off"}


def _read_state(body: Mapping[str, Any]) -> Immutability | None:
    value: Any = body
    for member in _STATE.split("."):
        if not _is_object(value):
            raise InvalidInputError(
                f"what holds the member '{member}' is no object", target=_STATE, hint="send it as GET shows it"
            )
        value = value.get(member)
        if value is None:
            return None
    for state in Immutability:
        if isinstance(value, str) and value.lower() == state.lower():
            return state
    known = ", ".join(state.value for state in Immutability)
    raise InvalidInputError(f"'{value}' is no state of a vault's immutability", target=_STATE, hint=f"send {known}")


def _find_changes(sent: Any, shown: Any, path: str) -> Iterator[str]:
    """Answer the paths of members that are not as they are shown; null and what is empty change nothing."""
    if path.lower() == _STATE.lower() or not _says_something(sent):
        return
    if _is_object(sent):
        known = {name.lower(): member for name, member in shown.items()} if _is_object(shown) else {}
        for name, member in sent.items():
            if name.lower() not in _OWN or path:
                yield from _find_changes(member, known.get(name.lower()), f"{path}.{name}" if path else name)
    elif not _is_same(sent, shown):
        yield path


def _says_something(sent: Any) -> bool:
    return sent is not None and sent not in ({}, [])


def _is_same(sent: Any, shown: Any) -> bool:
    if isinstance(sent, str) and isinstance(shown, str):
        return sent.lower() == shown.lower()
    return isinstance(sent, bool) is isinstance(shown, bool) and sent == shown


def _is_object(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)
