"""What every stage of an audit has: the spec, the loaded plugins, the store, and how a stage's key is made."""

from dataclasses import dataclass
from pathlib import Path

from .catalogue import PACKAGE, Kind
from .context import Context, Progress
from .keeping import StoreKeeper
from .provenance import code_hash, libraries, plugin_code
from .record import AuditSpec, PluginSpec
from .registry import Plugin
from .store import Store, with_contents


@dataclass(frozen=True)
class Staging:
    """Where an audit's stages are computed on first use and taken from the store after that.

    Attributes:
        spec: resolved, with the device settled.
        plugins: loaded, by (kind, name).
        store: where finished stages stand.
        progress: where long work is shown.
    """

    spec: AuditSpec
    plugins: dict[tuple[str, str], Plugin]
    store: Store
    progress: Progress

    def plugin(self, kind: Kind, asked: PluginSpec) -> tuple[Plugin, dict[str, object]]:
        """The plugin asked for, and what of it decides a stage's result: a part of that stage's key."""
        plugin = self.plugins[kind, asked.name]
        options = plugin.options(asked.options, self.spec.budget)
        return plugin, {
            "plugin": f"{kind} {asked.name}",
            "options": with_contents(options),
            "code": plugin_code(plugin),
            "libraries": libraries(),
        }

    def keywords(self, plugin: Plugin, asked: PluginSpec) -> dict[str, object]:
        """The options asked for as keyword arguments of the plugin."""
        options = plugin.options(asked.options, self.spec.budget)
        return {name: getattr(options, name) for name in type(options).model_fields}

    def context(self, kind: str, name: str, folder: Path) -> Context:
        """The surroundings of a plugin, or of a part of the engine, while it computes a stage in ``folder``."""
        seeded: dict[str, object] = {"seed": self.spec.seed, "device": self.spec.device, "libraries": libraries()}
        plugin = self.plugins.get((kind, name))
        code = plugin_code(plugin) if plugin else code_hash(PACKAGE / "audit")
        return Context(
            seed=self.spec.seed,
            path=(kind, name),
            device=self.spec.device,
            budget=self.spec.budget,
            confidence=self.spec.confidence,
            progress=self.progress,
            folder=folder,
            keeper=StoreKeeper(self.store, seeded | {"code": code}),
        )
