"""What every thief gets: the one table, which the attacks are asserted against and `SECURITY.md` shows.

A cell says what came of the whole attempt, made with everything that the thief holds. `refused` cells name the answer of
storage, or of the API, that stopped the attempt; REFUSALS says which codes each word stands for.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

from local_cloud.tokens import PEOPLE


class Outcome(StrEnum):
    """How an attempt ends, from the least that a thief gets to the most."""

    NO_TOKEN = "no token"
    NOT_SIGNED = "not signed"
    NO_ROLE = "no role"
    NO_RIGHT = "no right"
    SECOND_PERSON = "second person"
    NEVER = "never"
    IMMUTABLE = "immutable"
    NOTHING = "changes nothing"
    READ = "**read**"
    DONE = "**done**"
    WEAKENED = "**weakened**"
    LOST = "**LOST**"


REFUSALS: Mapping[Outcome, tuple[tuple[int, str], ...]] = {
    Outcome.NO_TOKEN: ((401, "InvalidAuthenticationInfo"),),
    Outcome.NOT_SIGNED: ((403, "AuthenticationFailed"),),
    Outcome.NO_RIGHT: ((403, "AuthorizationPermissionMismatch"),),
    Outcome.IMMUTABLE: (
        (409, "BlobImmutableDueToPolicy"),
        (409, "ImmutabilityPolicyDeleteOnLockedPolicy"),
        (409, "ContainerImmutableStorageWithVersioningEnabled"),
    ),
    Outcome.NO_ROLE: ((403, "AuthorizationFailed"),),
    Outcome.SECOND_PERSON: ((403, "ApprovalRequired"),),
    Outcome.NEVER: ((400, "UserErrorUnsupportedVaultImmutabilityStateChange"), (400, "UserErrorRestoreTargetOutside")),
}
MEANINGS: Mapping[Outcome, str] = {
    Outcome.NO_TOKEN: "storage refuses the caller",
    Outcome.NOT_SIGNED: "storage refuses the signature",
    Outcome.NO_RIGHT: "storage refuses the caller, who lacks the right",
    Outcome.IMMUTABLE: "storage refuses everybody: WORM",
    Outcome.NO_ROLE: "the API refuses the person's role",
    Outcome.SECOND_PERSON: "the API wants somebody else's approval first",
    Outcome.NEVER: "the API refuses everybody",
    Outcome.NOTHING: "storage made a new version; the sealed one is there, byte for byte, and is what flexvault reads",
    Outcome.READ: "the thief has the bytes",
    Outcome.DONE: "it happened",
    Outcome.WEAKENED: "the protection is less than it was; the point is still there",
    Outcome.LOST: "the sealed version is gone",
}

ATTEMPTS = (
    "read",
    "overwrite",
    "delete the container",
    "release a hold",
    "shorten",
    "remove the policy",
    "encrypt",
    "delete",
)
"""On every version of a recovery point, in this order. `encrypt` writes other bytes and then deletes the sealed ones."""

_T, _S, _R, _I, _N = (
    Outcome.NO_TOKEN,
    Outcome.NOT_SIGNED,
    Outcome.NO_RIGHT,
    Outcome.IMMUTABLE,
    Outcome.NOTHING,
)
_READ, _WEAK, _LOST = Outcome.READ, Outcome.WEAKENED, Outcome.LOST

PERSON, LANDING_SAS, SOURCE_SAS = "a person's token", "SAS of landing", "SAS to read a version"
SOURCE_OWNER, VAULT_OWNER = "owner of the source subscription", "owner of the vault account"
FRONT, JANITOR, TWO_THEFTS = "code in the front app", "code in the janitor app", "control and retention"

_SAME: Mapping[str, Sequence[Outcome]] = {
    PERSON: (_T,) * 8,
    LANDING_SAS: (_S,) * 8,
    SOURCE_SAS: (_READ, _S, _S, _R, _R, _R, _S, _R),
    "writer": (_READ, _N, _R, _R, _R, _R, _N, _R),
    "retention": (_READ, _R, _R, _R, _R, _R, _R, _I),
    "host-front": (_R,) * 8,
    "host-janitor": (_R,) * 8,
    SOURCE_OWNER: (_R,) * 8,
    JANITOR: (_READ, _R, _R, _R, _R, _R, _R, _I),
}
"""Alike on Unlocked and Locked points."""
UNLOCKED: Mapping[str, Sequence[Outcome]] = {
    **_SAME,
    "control": (_READ, _R, _R, _WEAK, _WEAK, _WEAK, _R, _R),
    FRONT: (_READ, _N, _R, _WEAK, _WEAK, _WEAK, _N, _R),
    TWO_THEFTS: (_READ, _R, _R, _WEAK, _WEAK, _WEAK, _R, _LOST),
    "single": (_READ, _N, _R, _WEAK, _WEAK, _WEAK, _LOST, _LOST),
    VAULT_OWNER: (_READ, _N, _I, _WEAK, _WEAK, _WEAK, _LOST, _LOST),
}
LOCKED: Mapping[str, Sequence[Outcome]] = {
    **_SAME,
    "control": (_READ, _R, _R, _WEAK, _I, _I, _R, _R),
    FRONT: (_READ, _N, _R, _WEAK, _I, _I, _N, _R),
    TWO_THEFTS: (_READ, _R, _R, _WEAK, _I, _I, _R, _I),
    "single": (_READ, _N, _R, _WEAK, _I, _I, _N, _I),
    VAULT_OWNER: (_READ, _N, _I, _WEAK, _I, _I, _N, _I),
}
THIEVES = tuple(UNLOCKED)
JOURNAL_ATTEMPTS = ("read", "overwrite", "delete")
"""On a journal entry, which no policy protects; the rights and the entries after it do."""
JOURNAL: Mapping[str, Sequence[Outcome]] = {
    PERSON: (_T,) * 3,
    LANDING_SAS: (_S,) * 3,
    SOURCE_SAS: (_READ, _S, _R),
    "host-front": (_R,) * 3,
    "host-janitor": (_R,) * 3,
    SOURCE_OWNER: (_R,) * 3,
    "control": (_READ, _R, _R),
    "writer": (_READ, _N, _R),
    "retention": (_READ, _N, _R),
    FRONT: (_READ, _N, _R),
    JANITOR: (_READ, _N, _R),
    TWO_THEFTS: (_READ, _N, _R),
    "single": (_READ, _N, _R),
    VAULT_OWNER: (_READ, _N, _LOST),
}
DESTROYERS = (TWO_THEFTS, "single", VAULT_OWNER)
"""Those who destroy an Unlocked point: each has one of its own to try on."""

_ROLE, _TWO, _NEVER, _DONE = Outcome.NO_ROLE, Outcome.SECOND_PERSON, Outcome.NEVER, Outcome.DONE
_CRITICAL = (_ROLE, _ROLE, _TWO, _ROLE)
OVER_THE_API: Mapping[str, Sequence[Outcome]] = {
    "delete the server's data": _CRITICAL,
    "shorten a policy's retention": _CRITICAL,
    "put the server under a shorter policy": _CRITICAL,
    "release a hold": _CRITICAL,
    "turn the poisoning guard off": _CRITICAL,
    "leave Locked": (_ROLE, _ROLE, _NEVER, _ROLE),
    "approve what one asked for": (_ROLE, _ROLE, _ROLE, _ROLE),
    "restore into a container outside": (_ROLE, _TWO, _TWO, _ROLE),
    "restore into the vault account": (_ROLE, _NEVER, _NEVER, _ROLE),
    "restore into an allowed container": (_ROLE, _DONE, _DONE, _ROLE),
}
"""By attempt, each of PEOPLE in its order."""


def outcome_of(status: int | None, code: str | None) -> Outcome:
    """Answer the word for a refusal.

    Raises:
        AssertionError: No word stands for it: whatever this is, it is not in the table.
    """
    found = [outcome for outcome, answers in REFUSALS.items() if (status, code) in answers]
    assert found, f"{status} {code} is none of the refusals that the table knows"
    return found[0]


def rank(outcome: Outcome) -> int:
    """Answer how far an attempt got."""
    return list(Outcome).index(outcome)


def write_tables() -> dict[str, str]:
    """Write the tables of `SECURITY.md`, by the name in the comment that stands before each."""
    return {
        "words": _write(("cell", "answer", "means"), _words()),
        "unlocked": _write(("thief", *ATTEMPTS), ((thief, *cells) for thief, cells in UNLOCKED.items())),
        "locked": _write(("thief", *ATTEMPTS), ((thief, *cells) for thief, cells in LOCKED.items())),
        "journal": _write(("thief", *JOURNAL_ATTEMPTS), ((thief, *cells) for thief, cells in JOURNAL.items())),
        "api": _write(("attempt", *PEOPLE), ((attempt, *cells) for attempt, cells in OVER_THE_API.items())),
    }


def _words() -> Iterator[tuple[str, ...]]:
    for outcome in Outcome:
        answers = ", ".join(f"{status} `{code}`" for status, code in REFUSALS.get(outcome, ()))
        yield outcome, answers, MEANINGS[outcome]


def _write(head: Sequence[str], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
