"""The vault's settings: which changes there are, and which of them take protection away."""

import pytest

from flexvault.domain.errors import InvalidInputError
from flexvault.domain.vault_settings import Immutability, VaultSettings, find_weakenings, require_transition

DISABLED, UNLOCKED, LOCKED = Immutability


@pytest.mark.parametrize(
    ("before", "after"),
    [(DISABLED, UNLOCKED), (UNLOCKED, DISABLED), (UNLOCKED, LOCKED), *((state, state) for state in Immutability)],
)
def test_what_azure_lets_change_may_change(before: Immutability, after: Immutability):
    require_transition(before, after)


@pytest.mark.parametrize(
    ("before", "after", "next_step"),
    [
        (DISABLED, LOCKED, "make it Unlocked first"),
        (LOCKED, UNLOCKED, "leave it as it is"),
        (LOCKED, DISABLED, "leave it as it is"),
    ],
)
def test_what_azure_refuses_is_refused_in_its_words(before: Immutability, after: Immutability, next_step: str):
    with pytest.raises(InvalidInputError) as refused:
        require_transition(before, after)
    assert refused.value.code == "UserErrorUnsupportedVaultImmutabilityStateChange"
    assert f"is {before} and cannot become {after}" in refused.value.message
    assert next_step in refused.value.hint


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        pytest.param(VaultSettings(), VaultSettings(immutability=DISABLED), ["immutability"], id="immutability"),
        pytest.param(VaultSettings(), VaultSettings(is_poisoning_guarded=False), ["poisoning guard"], id="guard"),
        pytest.param(
            VaultSettings(),
            VaultSettings(immutability=DISABLED, is_poisoning_guarded=False),
            ["immutability", "poisoning guard"],
            id="both",
        ),
        pytest.param(VaultSettings(), VaultSettings(immutability=LOCKED), [], id="locking"),
        pytest.param(VaultSettings(immutability=DISABLED), VaultSettings(), [], id="enabling"),
        pytest.param(VaultSettings(is_poisoning_guarded=False), VaultSettings(), [], id="guarding"),
    ],
)
def test_only_what_takes_protection_away_weakens(before: VaultSettings, after: VaultSettings, words: list[str]):
    told = find_weakenings(before, after)
    assert len(told) == len(words)
    assert all(word in text for word, text in zip(words, told, strict=True))


def test_settings_are_read_as_they_were_written():
    settings = VaultSettings(immutability=LOCKED, is_poisoning_guarded=False, journal_seq=7)
    assert VaultSettings.from_values({**settings.to_json(), "journal_seq": 7}) == settings
