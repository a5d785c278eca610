"""The list of jobs reads one page with one request, however many jobs there are: counted on the wire, over Azurite."""

from collections.abc import Iterator
from contextlib import closing
from urllib.parse import unquote

import pytest

from bench.job_rows import PAGE_SIZE, CountedRows, JobReader, make_jobs, write_jobs
from tests.contract.surroundings import run_azurite

ONE_PAGE = PAGE_SIZE + 1
"""The row after the page says that there is another."""


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CountedRows]:
    """Tables of this file alone: so many jobs would slow down the tests that share an Azurite."""
    with run_azurite(tmp_path_factory.mktemp("jobs")) as azurite:
        authority = azurite.certificates.authority
        with closing(CountedRows(azurite.table_endpoint, azurite.identity("host"), authority)) as rows:
            yield rows


@pytest.fixture(scope="module", params=[1_000, pytest.param(100_000, marks=pytest.mark.long)])
def count(request: pytest.FixtureRequest, rows: CountedRows) -> int:
    """How many jobs there are; the tests of the smaller number run first."""
    wanted: int = request.param
    already = 0 if wanted == 1_000 or not JobReader(rows).first_page()["value"] else 1_000
    write_jobs(rows, make_jobs(wanted - already, first=already))
    return wanted


def test_the_first_page_is_one_request_for_one_page(rows: CountedRows, count: int) -> None:
    reader = JobReader(rows)
    read = rows.start_counting()
    page = reader.first_page()
    assert (read.requests, read.rows) == (1, ONE_PAGE)
    newest = [job.job_id for job in make_jobs(PAGE_SIZE, first=count - PAGE_SIZE)][::-1]
    assert [job["name"] for job in page["value"]] == newest


def test_the_next_page_is_one_request_for_one_page(rows: CountedRows, count: int) -> None:
    reader = JobReader(rows)
    token = unquote(reader.first_page()["nextLink"].rpartition("skipToken=")[2])
    read = rows.start_counting()
    page = reader.next_page(token)
    assert (read.requests, read.rows) == (1, ONE_PAGE)
    following = [job.job_id for job in make_jobs(PAGE_SIZE, first=count - 2 * PAGE_SIZE)][::-1]
    assert [job["name"] for job in page["value"]] == following


def test_one_job_is_one_request_for_one_row(rows: CountedRows, count: int) -> None:
    (middle,) = make_jobs(1, first=count // 2)
    read = rows.start_counting()
    found = JobReader(rows).one(middle.job_id)
    assert (read.requests, read.rows) == (1, 1)
    assert found["properties"]["startTime"].startswith(middle.started_at.isoformat()[:19])
