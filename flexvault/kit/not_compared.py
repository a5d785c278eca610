"""Why a comparison says nothing of some things."""

from typing import Final

NOT_CHOSEN: Final = "not chosen"
STATISTICS: Final = "they are not in the files; the rebuild kit runs ANALYZE once a database is loaded"
OWN_ROLE: Final = "the target has it of its own; only some databases were restored"
_VERIFIERS: Final = "a rebuild restores them only with --with-passwords, else set new ones"


def passwords_of_script(count: int) -> str:
    """Say what is true of passwords, by the number of roles whose verifier the roles file holds."""
    if count == 0:
        return "never compared; the roles file holds none (a dump by an administrator without superuser): set new ones"
    roles = "1 role" if count == 1 else f"{count} roles"
    return f"never compared; the roles file holds verifiers (no clear text) of {roles}: {_VERIFIERS}"


PASSWORDS_OF_SERVER: Final = (
    f"never compared; if the roles file of the recovery point holds verifiers (no clear text), {_VERIFIERS}"
)
