"""The configuration: its sections and how they are read."""

from pairsmith.config.generating import (
    BudgetConfig,
    DistinctConfig,
    GenerateConfig,
    MemberConfig,
    PriceConfig,
    StrategyConfig,
)
from pairsmith.config.load import CONFIG_FILE, load_config, parse_config
from pairsmith.config.schema import (
    AnnotateConfig,
    AnnotatorConfig,
    CollectConfig,
    Config,
    ExportConfig,
    GateConfig,
    ModelConfig,
    ResolveConfig,
    RuntimeConfig,
    SourceConfig,
    SplitConfig,
    ValidateConfig,
)
from pairsmith.config.section import Section

__all__ = [
    "CONFIG_FILE",
    "AnnotateConfig",
    "AnnotatorConfig",
    "BudgetConfig",
    "CollectConfig",
    "Config",
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
    "SourceConfig",
    "SplitConfig",
    "StrategyConfig",
    "ValidateConfig",
    "load_config",
    "parse_config",
]
