"""`docs/api.md` and the operation table say the same: every operation with method, path, role and codes of success."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from flexvault.api.call import ApiOperation
from flexvault.api.table import AZURE, OWN, UNSUPPORTED

DOC = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
SETS = {
    "Azure Backup's operations": AZURE,
    "The vault's own operations": OWN,
    "Not supported": UNSUPPORTED,
}
ROW = re.compile(
    r"^\| (?P<methods>[A-Z, ]+) \| `(?P<path>[^`]+)` \| (?P<role>\w+) \| (?P<success>[0-9, ]*) ?\| .*\|$", re.MULTILINE
)
CHOICE = re.compile(r"\(([^()]*)\)")
OPTION = re.compile(r"\[([^\[\]]*)\]")

type Row = tuple[str, str, str, str]


def sections() -> dict[str, str]:
    """The text below each heading of the operations' part."""
    parts = re.split(r"^### (.+)$", DOC, flags=re.MULTILINE)
    return {
        title: re.split(r"^#", text, flags=re.MULTILINE)[0]
        for title, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def abbreviations() -> dict[str, str]:
    found = dict(re.findall(r"`(\{[A-Z]+\})` is `([^`]+)`", DOC))
    assert list(found) == ["{SUB}", "{RG}", "{V}", "{BI}"]
    return found


def paths(text: str) -> Iterator[str]:
    """Every path that a cell stands for."""
    text = text.replace("\\|", "|")
    text = OPTION.sub(r"(|\1)", text)
    choices = [match.split("|") for match in CHOICE.findall(text)]
    frame = CHOICE.sub("\0", text)
    for chosen in product(*choices):
        path = frame
        for one in chosen:
            path = path.replace("\0", one, 1)
        for _ in range(3):
            for short, long in abbreviations().items():
                path = path.replace(short, long)
        yield path


def written(title: str) -> list[Row]:
    section = sections()[title]
    rows = list(ROW.finditer(section))
    assert len(rows) == section.count("\n| ") - 2, "a row of the table cannot be read"
    return [
        (method, path, row["role"], row["success"].strip())
        for row in rows
        for method in row["methods"].split(", ")
        for path in paths(row["path"])
    ]


def of(operation: ApiOperation) -> Row:
    role = "none" if operation.role is None else operation.role.removeprefix("Backup.")
    return operation.method, operation.template, role, ", ".join(str(int(one)) for one in sorted(operation.statuses))


@pytest.mark.parametrize("title", SETS)
def test_the_document_has_exactly_the_operations_of_the_table(title: str) -> None:
    in_doc, in_table = written(title), [of(operation) for operation in SETS[title]]
    assert [row for row in in_table if row not in in_doc] == [], "missing in docs/api.md"
    assert [row for row in in_doc if row not in in_table] == [], "docs/api.md promises too much"
    assert len(in_doc) == len(in_table), "docs/api.md has a row twice"


def test_optional_parts_and_choices_of_a_path_are_read() -> None:
    assert list(paths("(/a\\|/b)/c[/{x}]")) == ["/a/c", "/a/c/{x}", "/b/c", "/b/c/{x}"]
    assert list(paths("{BI}/sync")) == [
        (
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}"
            "/backupInstances/{instance}/sync"
        )
    ]
