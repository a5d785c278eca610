"""A mutation that no longer applies proves nothing; whether it is caught is for `python -m tests.mutations`."""

import ast

import pytest

from tests.mutations.catalogue import MUTATIONS
from tests.mutations.mutation import DoesNotApplyError, Mutation
from tests.mutations.trial import ROOT


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name.replace(" ", "-"))
def test_a_mutation_applies_and_leaves_code_that_can_be_read(mutation: Mutation) -> None:
    changed = mutation.apply(ROOT)
    assert changed != (ROOT / mutation.path).read_text(encoding="utf-8")
    ast.parse(changed)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name.replace(" ", "-"))
def test_the_tests_that_must_catch_a_mutation_exist(mutation: Mutation) -> None:
    assert mutation.tests
    assert [test for test in mutation.tests if not (ROOT / test).is_file()] == []


def test_a_mutation_whose_text_is_gone_is_told() -> None:
    gone = Mutation(name="of old", path="function_app.py", old="no such text", new="", tests=())
    with pytest.raises(DoesNotApplyError, match=r"'of old': its text is in function_app\.py 0 times"):
        gone.apply(ROOT)
