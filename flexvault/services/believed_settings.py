"""The vault's settings as the journal has them: a row alone changes nothing about what storage protects."""

from dataclasses import replace

from flexvault.domain import blob_names
from flexvault.domain.errors import IntegrityError
from flexvault.domain.events import settings_target
from flexvault.domain.json_values import MALFORMED
from flexvault.domain.vault_settings import VaultSettings
from flexvault.ports import Ports
from flexvault.services.journal import find_entry, find_row

DEFAULT = VaultSettings()


def read_believed_settings(ports: Ports) -> VaultSettings:
    """Read the vault's settings from the entry that their row names; one that names none says what nobody changed.

    Whoever may write rows could else switch protection off, or lock the vault for good. That a row was taken away, or
    names an older change of the settings, is not seen here.
    """
    try:
        said = _read_row(ports)
        believed = DEFAULT if said.journal_seq == 0 else _read(ports, said.journal_seq)
    except (IntegrityError, *MALFORMED):
        said, believed = None, DEFAULT
    # The row has no tags: with all that ARM allows they would not fit into it.
    if said != replace(believed, tags={}):
        ports.telemetry.emit("RowsDiffer", {"instance": blob_names.VAULT_STREAM})
    return believed


def _read_row(ports: Ports) -> VaultSettings:
    row = find_row(ports, settings_target())
    return DEFAULT if row is None else VaultSettings.from_values(row.values)


def _read(ports: Ports, seq: int) -> VaultSettings:
    entry = find_entry(ports, blob_names.VAULT_STREAM, seq)
    if entry is None or entry.type != "VaultChanged":
        text = f"journal entry {blob_names.VAULT_STREAM} {seq} is no VaultChanged"
        raise IntegrityError(text, code="JournalDiffers")
    return VaultSettings.from_values({**entry.body["settings"], "journal_seq": seq})
