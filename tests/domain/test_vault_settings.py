"""The vault's settings: which changes there are, and which of them take protection away."""

import pytest

from flexvault.domain.errors import InvalidInputError
from flexvault.domain.vault_settings import (
    Immutability,
    SoftDelete,
    VaultSettings,
    find_weakenings,
    require_soft_delete_transition,
    require_transition,
)

DISABLED, UNLOCKED, LOCKED = Immutability
OFF, ON, ALWAYS_ON = SoftDelete


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
        pytest.param(VaultSettings(), VaultSettings(soft_delete=OFF), ["soft delete off"], id="soft delete off"),
        pytest.param(VaultSettings(soft_delete_days=15), VaultSettings(), ["14 days"], id="fewer days"),
        pytest.param(
            VaultSettings(soft_delete=ALWAYS_ON, soft_delete_days=15),
            VaultSettings(soft_delete=ALWAYS_ON),
            ["14 days"],
            id="fewer days, always on",
        ),
        pytest.param(VaultSettings(soft_delete=OFF, soft_delete_days=99), VaultSettings(), [], id="soft delete on"),
        pytest.param(VaultSettings(), VaultSettings(soft_delete=ALWAYS_ON, soft_delete_days=180), [], id="always on"),
        pytest.param(VaultSettings(is_poisoning_guarded=False), VaultSettings(), [], id="guarding"),
    ],
)
def test_only_what_takes_protection_away_weakens(before: VaultSettings, after: VaultSettings, words: list[str]):
    told = find_weakenings(before, after)
    assert len(told) == len(words)
    assert all(word in text for word, text in zip(words, told, strict=True))


def test_settings_are_read_as_they_were_written():
    settings = VaultSettings(
        immutability=LOCKED,
        is_poisoning_guarded=False,
        soft_delete=ALWAYS_ON,
        soft_delete_days=90,
        alerts_for_failures=False,
        tags={"a": "b"},
        journal_seq=7,
    )
    assert VaultSettings.from_values({**settings.to_json(), "journal_seq": 7}) == settings


@pytest.mark.parametrize(
    ("before", "after"), [(OFF, ON), (ON, OFF), (ON, ALWAYS_ON), (OFF, ALWAYS_ON), (ALWAYS_ON, ALWAYS_ON)]
)
def test_soft_delete_may_change_until_it_is_always_on(before: SoftDelete, after: SoftDelete):
    require_soft_delete_transition(before, after)


@pytest.mark.parametrize("after", [OFF, ON])
def test_nothing_leads_out_of_always_on(after: SoftDelete):
    with pytest.raises(InvalidInputError) as refused:
        require_soft_delete_transition(ALWAYS_ON, after)
    assert refused.value.code == "UserErrorUnsupportedVaultSoftDeleteStateChange"
