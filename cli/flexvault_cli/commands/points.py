"""Commands on recovery points."""

import argparse
import io
import json
import zipfile
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
    found = api.get(f"{_own_point(api, options)}/verification")
    _require_intact(_show_verification(found, as_json=options.as_json))


def _show_verification(found: Json, *, as_json: bool) -> Json:
    if as_json:
        show_json(found)
        return found
    show_one(found, DEEP, as_json=False)
    show_rows(dig_list(found, "files"), DEEP_FILES, as_json=False, dropped_first=DEEP_FILES_DROPPED)
    rows = dig_list(found, "findings")
    show_rows(rows, FINDINGS, as_json=False, dropped_first=FINDINGS_DROPPED, empty="nothing is wrong")
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
    query = urlencode({"$top": "1000", **{name: value for name, value in chosen.items() if value}}, safe="$")
    rows = api.list_all(f"{_own_point(api, options)}/contents?{query}")
    show_rows(rows, contents_views.CONTENTS, as_json=options.as_json, dropped_first=contents_views.CONTENTS_DROPPED)
    if not options.as_json:
        show_lines(contents_views.describe_source(rows))


def fetch_kit(api: VaultApi, options: argparse.Namespace) -> None:
    """Download the rebuild kit of a recovery point, for restored files of a prefix."""
    chosen = {"databases": json.dumps(options.database)} if options.database else {}
    query = urlencode({"filePrefix": options.prefix, **chosen})
    packed = api.download(f"{_own_point(api, options)}/rebuildKit?{query}")
    # The vault accepted the prefix, so it is letters, digits, dashes, dots and underscores.
    written = _unpack(packed, Path(options.folder) / f"{options.prefix}_rebuild")
    if options.as_json:
        show_json({"files": [str(path) for path in written]})
    else:
        show_lines([*map(str, written), f"next: python3 {written[0]} check"])


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
