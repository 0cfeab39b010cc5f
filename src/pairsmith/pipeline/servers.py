"""What the servers of a project can do: asked once per address and model, kept in the cache, told to the user."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pairsmith.builds import write_atomically
from pairsmith.config import Config
from pairsmith.models.protocols import ChatModel

__all__ = ["know_servers", "teach"]

SERVERS_FILE = "servers.json"


async def know_servers(project: Path, config: Config, names: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The abilities of the servers behind these models, by model and address, and what is worth a remark.

    Servers are asked when address or model are new; delete the cache to ask again.
    """
    from pairsmith.models.probe import probe, shortcomings

    path = project / config.runtime.cache / SERVERS_FILE
    known = _read(path)
    found: dict[str, Any] = {}
    remarks: list[str] = []
    changed = False
    for name in names:
        model = config.models[name]
        if model.kind != "openai" or not config.runtime.probe:
            continue
        asked = {"model": model.model, "addresses": list(model.base_urls or (model.base_url,))}
        record = known.get(name)
        if not isinstance(record, dict) or record.get("asked") != asked:
            record = {"asked": asked, "abilities": await probe(name, model, config.runtime)}
            if any(any(value is not None for value in each.values()) for each in record["abilities"].values()):
                known[name], changed = record, True
        found[name] = record["abilities"]
        remarks += shortcomings(name, record["abilities"])
    if changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(known, sort_keys=True, indent=1).encode())
    return found, remarks


def teach(model: ChatModel, found: Mapping[str, Mapping[str, bool | None]]) -> None:
    """Let a model use what all of its servers can do."""
    learn = getattr(model, "learn", None)
    if learn is not None:
        abilities = {ability for each in found.values() for ability in each}
        learn({ability: all(each.get(ability) is True for each in found.values()) for ability in abilities})


def _read(path: Path) -> dict[str, Any]:
    """What is known; nothing if the file is missing or no use, as it is only a cache."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
