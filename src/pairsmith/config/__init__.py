"""The configuration: its sections and how they are read."""

from pairsmith.config.annotating import AnchorConfig, AuditConfig
from pairsmith.config.generating import (
    BudgetConfig,
    DistinctConfig,
    GenerateConfig,
    MemberConfig,
    PriceConfig,
    StrategyConfig,
)
from pairsmith.config.load import CONFIG_FILE, load_config, no_config, parse_config
from pairsmith.config.schema import (
    AnnotateConfig,
    AnnotatorConfig,
    CollectConfig,
    Config,
    ConflictsConfig,
    ExportConfig,
    GateConfig,
    ModelConfig,
    ResolveConfig,
    RuntimeConfig,
    SelectConfig,
    SourceConfig,
    SplitConfig,
    ValidateConfig,
)
from pairsmith.config.section import Section

__all__ = [
    "CONFIG_FILE",
    "AnchorConfig",
    "AnnotateConfig",
    "AnnotatorConfig",
    "AuditConfig",
    "BudgetConfig",
    "CollectConfig",
    "Config",
    "ConflictsConfig",
    "DistinctConfig",
    "ExportConfig",
    "GateConfig",
    "GenerateConfig",
    "MemberConfig",
    "ModelConfig",
    "PriceConfig",
    "ResolveConfig",
    "RuntimeConfig",
    "Section",
    "SelectConfig",
    "SourceConfig",
    "SplitConfig",
    "StrategyConfig",
    "ValidateConfig",
    "load_config",
    "no_config",
    "parse_config",
]
