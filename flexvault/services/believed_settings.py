"""The vault's settings as the journal has them: a row alone changes nothing about what storage protects."""

from flexvault.domain import blob_names
from flexvault.domain.errors import IntegrityError, NotFoundError
from flexvault.domain.json_values import MALFORMED
from flexvault.domain.vault_settings import VaultSettings
from flexvault.ports import Ports
from flexvault.services import catalog
from flexvault.services.journal import read_entry

DEFAULT = VaultSettings()


def read_believed_settings(ports: Ports) -> VaultSettings:
    """Read the vault's settings from the entry that their row names; one that names none says what nobody changed.

    Whoever may write rows could else switch protection off, or lock the vault for good. That a row was taken away, or
    names an older change of the settings, is not seen here.
    """
    try:
        said = catalog.read_vault_settings(ports)
        believed = DEFAULT if said.journal_seq == 0 else _read(ports, said.journal_seq)
    except (IntegrityError, NotFoundError, *MALFORMED):
        said, believed = None, DEFAULT
    if said != believed:
        ports.telemetry.emit("RowsDiffer", {"instance": blob_names.VAULT_STREAM})
    return believed


def _read(ports: Ports, seq: int) -> VaultSettings:
    entry = read_entry(ports, blob_names.VAULT_STREAM, seq)
    if entry.type != "VaultChanged":
        raise IntegrityError(f"journal entry {entry.stream} {seq} is no VaultChanged", code="JournalDiffers")
    return VaultSettings.from_values({**entry.body["settings"], "journal_seq": seq})
