"""`python -m tests.mutations [WORD ...]`: try every mutation, or those whose name holds one of the words."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.mutations.catalogue import MUTATIONS
from tests.mutations.mutation import DoesNotApplyError, Mutation
from tests.mutations.trial import copied_tree, run_unchanged, try_mutation

CAUGHT, SURVIVED, DOES_NOT_APPLY = "caught", "SURVIVED", "DOES NOT APPLY"


def main(words: Sequence[str]) -> int:
    """Try mutations; 0 only if every one was caught."""
    console = Console()
    chosen = [mutation for mutation in MUTATIONS if not words or any(word in mutation.name for word in words)]
    if not chosen:
        console.print(f"no mutation is called {' or '.join(words)}", style="red")
        return 2
    with copied_tree() as tree:
        unchanged = run_unchanged(tree, chosen)
        if not unchanged.has_passed:
            console.print(unchanged.output, markup=False, highlight=False)
            console.print("the tests that judge do not pass without any mutation", style="red")
            return 1
        table = Table("mutation", "noticed by", "seconds", "verdict")
        words_of = [_try(mutation, tree, table, console) for mutation in chosen]
    console.print(table)
    return 0 if set(words_of) == {CAUGHT} else 1


def _try(mutation: Mutation, tree: Path, table: Table, console: Console) -> str:
    """Try one and add its row; answers its verdict in a word."""
    try:
        verdict = try_mutation(tree, mutation)
    except DoesNotApplyError as error:
        word, seconds, noticed_by, output = DOES_NOT_APPLY, 0.0, "", str(error)
    else:
        word = CAUGHT if verdict.has_failed else SURVIVED
        seconds, noticed_by, output = verdict.seconds, verdict.noticed_by, verdict.output
    table.add_row(mutation.name, noticed_by.rpartition("::")[2], f"{seconds:.1f}", word)
    console.print(f"{word}: {mutation.name}", highlight=False)
    if word != CAUGHT:
        console.print(output, markup=False, highlight=False)
    return word


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
