"""The configuration: its sections and how they are read."""

from pairsmith.config.annotating import AuditConfig
from pairsmith.config.load import CONFIG_FILE, load_config, parse_config
from pairsmith.config.schema import (
    AnnotateConfig,
    AnnotatorConfig,
    CollectConfig,
    Config,
    ExportConfig,
    GateConfig,
    GenerateConfig,
    ModelConfig,
    ResolveConfig,
    RuntimeConfig,
    Section,
    SourceConfig,
    SplitConfig,
    ValidateConfig,
)

__all__ = [
    "CONFIG_FILE",
    "AnnotateConfig",
    "AnnotatorConfig",
    "AuditConfig",
    "CollectConfig",
    "Config",
    "ExportConfig",
    "GateConfig",
    "GenerateConfig",
    "ModelConfig",
    "ResolveConfig",
    "RuntimeConfig",
    "Section",
    "SourceConfig",
    "SplitConfig",
    "ValidateConfig",
    "load_config",
    "parse_config",
]
