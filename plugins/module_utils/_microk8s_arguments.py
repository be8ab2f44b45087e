# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Arguments of MicroK8s' services, each set once.

`value_of` and `with_value` are pure and read a file of arguments as kubelite does: a line holds `--flag=value` or
`--flag value`, quotes mean nothing, `#` begins a comment, of two lines the later one counts. `settle` writes what
differs, restarts kubelite once and waits until MicroK8s is ready. A service that was not restarted because a run was
cut off stays recorded as unsettled, so the next run does it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._files import cannot_write
from ansible_collections.edgelab.akri.plugins.module_utils._microk8s import Host, Record

with suppress(ImportError):  # the module that uses this says that the runtime is missing
    from edgelab.core.errors import LabError
    from edgelab.service.files import write_whole

SERVICES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet")
Values = Mapping[str, "str | None"]
_UNIT = "microk8s.daemon-kubelite"


def value_of(text: str, flag: str) -> str | None:
    """The value of a flag, without quotes; `true` for a flag alone; None when it is not there."""
    values = [match for line in text.splitlines() if (match := _value(line, flag)) is not None]
    return values[-1] if values else None


def with_value(text: str, flag: str, value: str | None) -> str:
    """The same file with this value, on one line; without the flag for None. The same text if that changes nothing."""
    lines = text.splitlines()
    at = [index for index, line in enumerate(lines) if _value(line, flag) is not None]
    if [_value(lines[index], flag) for index in at] == ([] if value is None else [value]):
        return text
    new = [] if value is None else [f"{flag}={value}"]
    first = at[0] if at else len(lines)
    kept = [line for index, line in enumerate(lines[:first] + new + lines[first:]) if index - len(new) not in at]
    return "\n".join(kept) + "\n"


def _value(line: str, flag: str) -> str | None:
    match = re.fullmatch(rf"{re.escape(flag)}(?:[= ]\s*(.*))?", line.strip())
    return match and re.sub(r"[\"']", "", match[1] if match[1] is not None else "true").strip()


def refuse_missing(host: Host, required: Mapping[str, Iterable[str]]) -> None:
    """Raise LabError unless each of these flags has a value."""
    for service, flags in required.items():
        text = _read(host, service)
        if missing := [flag for flag in flags if not value_of(text, flag)]:
            raise LabError(
                attempted=f"See that {service} does what the lab needs",
                seen=f"{_path(host, service)} has no {' and no '.join(missing)}",
                remedy="MicroK8s has it by default: put the line back, e.g. from /snap/microk8s/current/default-args",
            )


def changes(host: Host, wanted: Mapping[str, Values]) -> dict[str, tuple[str, str]]:
    """The services whose arguments differ: the file's text now, and as it shall be."""
    texts = {service: _read(host, service) for service in wanted}
    planned = {service: _with_all(texts[service], values) for service, values in wanted.items()}
    return {service: (texts[service], text) for service, text in planned.items() if text != texts[service]}


def ensure(host: Host, record: Record, wanted: Mapping[str, Values], *, wait: int, dry_run: bool) -> dict[str, Any]:
    """Make sure of arguments, and put back those set earlier that are not wanted any more; the module's result."""
    given_up = {
        service: {flag: value for flag, value in values.items() if flag not in wanted.get(service, {})}
        for service, values in record.arguments.items()
    }
    services = {*wanted, *given_up}
    planned = changes(host, {name: {**given_up.get(name, {}), **wanted.get(name, {})} for name in services})
    changed = bool(planned or record.unsettled)
    if changed and not dry_run:
        _record_before(record, wanted, planned)
        settle(host, record, planned, wait)
        _forget(host, record, given_up)
    return {"changed": changed, "diff": _diff(host, planned)}


def _record_before(record: Record, wanted: Mapping[str, Values], planned: Mapping[str, tuple[str, str]]) -> None:
    """Record the values of those flags that change and that the lab has not changed before."""
    for service, (text, _new) in planned.items():
        before = record.arguments.setdefault(service, {})
        for flag, value in wanted.get(service, {}).items():
            if value_of(text, flag) != value:
                before.setdefault(flag, value_of(text, flag))


def _forget(host: Host, record: Record, given_up: Mapping[str, Values]) -> None:
    for service, values in given_up.items():
        for flag in values:
            record.arguments[service].pop(flag)
    host.remember(record)


def restore(host: Host, record: Record, wait: int) -> None:
    """Put back the arguments that the lab changed, as they were."""
    settle(host, record, changes(host, record.arguments), wait)
    record.arguments.clear()
    host.remember(record)


def settle(host: Host, record: Record, planned: Mapping[str, tuple[str, str]], wait: int) -> None:
    """Write files, and have kubelite read them."""
    record.unsettled = sorted({*record.unsettled, *planned})
    if not record.unsettled:
        return
    host.remember(record)
    for service, (_old, new) in planned.items():
        _write(_path(host, service), new)
    attempted = f"Restart MicroK8s with new arguments for {', '.join(record.unsettled)}"
    host.must(attempted, "snap", "restart", _UNIT)
    host.wait_ready(attempted, wait)
    record.unsettled = []
    host.remember(record)


def _with_all(text: str, values: Values) -> str:
    for flag, value in values.items():
        text = with_value(text, flag, value)
    return text


def _path(host: Host, service: str) -> Path:
    return host.data / "args" / service


def _read(host: Host, service: str) -> str:
    try:
        return _path(host, service).read_text(encoding="utf-8")
    except OSError as error:
        raise LabError(
            attempted=f"Read the arguments of {service}", seen=str(error), cause="This is no MicroK8s that we know"
        ) from error


def _write(path: Path, text: str) -> None:
    """Replace the file and keep its owner and mode: the group microk8s may write it."""
    found = path.stat()
    try:
        write_whole(path, text.encode(), mode=found.st_mode & 0o777)
        os.chown(path, found.st_uid, found.st_gid)
        path.chmod(found.st_mode & 0o777)
    except OSError as error:
        raise cannot_write(path, error) from error


def _diff(host: Host, planned: Mapping[str, tuple[str, str]]) -> list[dict[str, str]]:
    return [
        {"before_header": str(_path(host, service)), "before": old, "after": new}
        for service, (old, new) in planned.items()
    ]
