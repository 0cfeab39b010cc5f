"""The configuration: its sections and how they are read."""

from pairsmith.config.load import CONFIG_FILE, load_config, no_config, parse_config
from pairsmith.config.schema import (
    AnnotateConfig,
    AnnotatorConfig,
    CollectConfig,
    Config,
    ConflictsConfig,
    ExportConfig,
    GateConfig,
    GenerateConfig,
    ModelConfig,
    ResolveConfig,
    RuntimeConfig,
    Section,
    SelectConfig,
    SourceConfig,
    SplitConfig,
    ValidateConfig,
)

__all__ = [
    "CONFIG_FILE",
    "AnnotateConfig",
    "AnnotatorConfig",
    "CollectConfig",
    "Config",
    "ConflictsConfig",
    "ExportConfig",
    "GateConfig",
    "GenerateConfig",
    "ModelConfig",
    "ResolveConfig",
    "RuntimeConfig",
    "Section",
    "SelectConfig",
    "SourceConfig",
    "SplitConfig",
    "ValidateConfig",
    "load_config",
    "no_config",
    "parse_config",
]
