"""The handler `udev`: devices of this machine that rules of udev mean, told again as soon as one comes or goes.

What Akri's handler of that name reports, without its wait of up to ten seconds, and with an empty set where nothing is
found (Akri sends nothing then, and its agent waits). `details` says what a Configuration may ask for, `grammar` and
`match` how rules are read, `devices` what a device looks like; each tells what differs from Akri.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from edgelab.discovery.handlers.udev.details import UdevDetails, read_presentation, read_rules
from edgelab.discovery.handlers.udev.devices import present
from edgelab.discovery.handlers.udev.monitor import watch_devices
from edgelab.discovery.handlers.udev.sysfs import iommu_group, scan
from edgelab.discovery.sdk import Device, Properties, handler


@handler("udev", shared=False)
async def discover(details: UdevDetails, properties: Properties) -> AsyncIterator[Sequence[Device]]:
    """Scan, and again after each change, until closed."""
    rules, how = read_rules(details), read_presentation(details, properties)
    with watch_devices() as watch:
        while True:
            found = await asyncio.to_thread(scan, rules)
            yield present(found, how, iommu_group)
            await watch.changed()


HANDLER = discover
