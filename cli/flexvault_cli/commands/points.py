"""Commands on recovery points."""

import argparse
import io
import json
import shlex
import zipfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlencode

from flexvault_cli import contents_views, views
from flexvault_cli.api import VaultApi
from flexvault_cli.commands.jobs import follow_job
from flexvault_cli.commands.lookup import find_instance, instance_path, own_path
from flexvault_cli.errors import MISUSED, CliError
from flexvault_cli.output import show_json, show_lines, show_one, show_rows
from flexvault_cli.verification_views import DEEP, DEEP_FILES, DEEP_FILES_DROPPED, FINDINGS, FINDINGS_DROPPED
from flexvault_cli.wire import Json, dig_list

KIT_FILES = ("rebuild.pyz", "README.md")


def list_points(api: VaultApi, options: argparse.Namespace) -> None:
    """List the recovery points of an instance."""
    rows = api.list_all(f"{instance_path(find_instance(api, options.instance))}/recoveryPoints")
    show_rows(rows, views.POINTS, as_json=options.as_json, dropped_first=views.POINTS_DROPPED)


def show_point(api: VaultApi, options: argparse.Namespace) -> None:
    """Show one recovery point."""
    path = f"{instance_path(find_instance(api, options.instance))}/recoveryPoints/{quote(options.point, safe='')}"
    show_one(api.get(path), views.POINT, as_json=options.as_json)


def verify_point(api: VaultApi, options: argparse.Namespace) -> None:
    """Verify a recovery point deeply: read every byte, count every row; with --wait exit 1 unless it is intact."""
    path = _own_point(api, options)
    follow_job(api, api.post(f"{path}/verify", {}), options)
    if options.wait:
        found = api.get(f"{path}/verification")
        # As JSON the job was shown, and a second document would make the output none.
        _require_intact(found if options.as_json else _show_verification(found, as_json=False))


def show_verification(api: VaultApi, options: argparse.Namespace) -> None:
    """Show what the newest deep verification of a recovery point found; exit 1 unless it is intact."""
    try:
        found = api.get(f"{_own_point(api, options)}/verification")
    except CliError as error:
        if error.code == "UserErrorVerificationNotFound":
            error.actions = [shlex.join(["flexvault", "point", "verify", options.instance, options.point, "--wait"])]
        raise
    _require_intact(_show_verification(found, as_json=options.as_json))


def _show_verification(found: Json, *, as_json: bool) -> Json:
    if as_json:
        show_json(found)
        return found
    show_one(found, DEEP, as_json=False)
    show_rows(dig_list(found, "files"), DEEP_FILES, as_json=False, dropped_first=DEEP_FILES_DROPPED)
    rows = dig_list(found, "findings")
    show_rows(rows, FINDINGS, as_json=False, dropped_first=FINDINGS_DROPPED, empty="no damage found")
    return found


def _require_intact(found: Json) -> None:
    """Tell what to do about each finding, and fail unless the point was proven intact.

    Raises:
        CliError: It was not.
    """
    verdict = found.get("verdict")
    if verdict == "Intact":
        return
    findings = dig_list(found, "findings")
    actions = list(dict.fromkeys(f"{one.get('code')}: {one.get('recommendedAction')}" for one in findings))
    text = f"the recovery point is {verdict}: {findings[0].get('message') if findings else 'nothing was proven'}"
    raise CliError(text, code=f"Point{verdict}", actions=actions)


def show_contents(api: VaultApi, options: argparse.Namespace) -> None:
    """List what is in a recovery point: databases and their objects, with rows where they were counted."""
    chosen = {name: getattr(options, name) for name in ("database", "schema", "kind")}
    path = f"{_own_point(api, options)}/contents"
    rows = _list_contents(api, path, chosen)
    if not rows and options.schema:
        _require_schema(api, path, options)
    show_rows(
        rows,
        contents_views.CONTENTS,
        as_json=options.as_json,
        dropped_first=contents_views.CONTENTS_DROPPED,
        empty=contents_views.describe_nothing(chosen),
    )
    if not options.as_json:
        show_lines(contents_views.describe_source(rows))


def _list_contents(api: VaultApi, path: str, chosen: Mapping[str, str | None]) -> list[Json]:
    query = urlencode({"$top": "1000", **{name: value for name, value in chosen.items() if value}}, safe="$")
    return api.list_all(f"{path}?{query}")


def _require_schema(api: VaultApi, path: str, options: argparse.Namespace) -> None:
    """Tell a schema that is nowhere from one that holds nothing of what was asked for.

    Raises:
        CliError: No database has it.
    """
    chosen = {"database": options.database, "schema": options.schema, "kind": "schema"}
    if _list_contents(api, path, chosen):
        return
    where = f"database '{options.database}'" if options.database else "no database of the recovery point"
    verb = "has no" if options.database else "has a"
    text = f"{where} {verb} schema '{options.schema}'; names are exact"
    listing = ["flexvault", "point", "contents", options.instance, options.point, "--kind", "schema"]
    chosen_database = ["--database", options.database] if options.database else []
    raise CliError(contents_views.printable(text), actions=[shlex.join([*listing, *chosen_database])])


def fetch_kit(api: VaultApi, options: argparse.Namespace) -> None:
    """Download the rebuild kit of a recovery point, for restored files of a prefix."""
    chosen = {"databases": json.dumps(options.database)} if options.database else {}
    query = urlencode({"filePrefix": options.prefix, **chosen})
    packed = api.download(f"{_own_point(api, options)}/rebuildKit?{query}")
    # The vault accepted the prefix, so it is letters, digits, dashes, dots and underscores.
    folder = Path(options.folder)
    written = _unpack(packed, folder / f"{options.prefix}_rebuild")
    if options.as_json:
        show_json({"files": [str(path) for path in written]})
    else:
        show_lines([*map(str, written), *_next_steps(options, folder, written[0])])


def _next_steps(options: argparse.Namespace, folder: Path, program: Path) -> list[str]:
    """Say what comes before the kit can run: where no file of the prefix lies beside it, a restore and its download."""
    check = shlex.join(["python3", str(program), "check"])
    if any(path.is_file() for path in folder.glob(f"{options.prefix}_*")):
        return [f"next: {check}"]
    chosen = [word for name in options.database or () for word in ("--database", name)]
    restore = ["flexvault", "restore", options.instance, options.point, "--prefix", options.prefix, *chosen, "--wait"]
    return [
        f"next, unless it was restored with this prefix: {shlex.join(restore)} --container URL",
        f"then download its files, {options.prefix}_*, into {folder}",
        f"then: {check}",
    ]


def _own_point(api: VaultApi, options: argparse.Namespace) -> str:
    return f"{own_path(find_instance(api, options.instance))}/recoveryPoints/{quote(options.point, safe='')}"


def _unpack(packed: bytes, folder: Path) -> list[Path]:
    """Write the kit's two files, and nothing else that an archive may name."""
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            files = {name: archive.read(name) for name in KIT_FILES}
    except (zipfile.BadZipFile, KeyError) as error:
        raise CliError(f"what the vault sent is no rebuild kit: {error}") from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)
    except OSError as error:
        raise CliError(f"cannot write into {folder}: {error.strerror}", exit_code=MISUSED) from error
    return [folder / name for name in files]
