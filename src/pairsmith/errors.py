"""Every error Pairsmith raises on purpose.

    PairsmithError              exit 1
    ├── UsageError              exit 2   also ValueError: what was asked cannot be done as asked
    │   ├── ConfigError                  pairsmith.yaml or --set; carries file:line
    │   ├── InputError                   a file that cannot be read at all
    │   └── MissingExtra                 also ImportError: an optional dependency is absent
    ├── LedgerError             exit 1   also RuntimeError: the ledger is damaged or of another version
    │   └── LeaseHeld           exit 4   another process is working on this stage
    ├── BuildError              exit 1   also RuntimeError: a build is damaged or cannot be written
    ├── Incomplete              exit 4   work is left over; running again carries on
    ├── ModelError              exit 1   also RuntimeError: a model's answer is unusable (recorded, not fatal)
    │   └── ModelUnavailable    exit 5   also ConnectionError: the server is down or refuses us
    └── GateFailed              exit 3   the dataset did not pass its gate

A message says what happened, where (file:line, record id, configuration key) and what to do next. Each class also
is the standard exception a caller would expect, so that `except ValueError` keeps working.
"""

__all__ = [
    "BuildError",
    "ConfigError",
    "GateFailed",
    "Incomplete",
    "InputError",
    "LeaseHeld",
    "LedgerError",
    "MissingExtra",
    "ModelError",
    "ModelUnavailable",
    "PairsmithError",
    "UsageError",
]

INTERRUPTED_EXIT_CODE = 130
"""Exit code after Ctrl-C; everything stored so far is kept and the same command carries on."""


class PairsmithError(Exception):
    """Base of all errors raised on purpose; `exit_code` is what the command line ends with."""

    exit_code = 1


class UsageError(PairsmithError, ValueError):
    """What was asked cannot be done as asked."""

    exit_code = 2


class ConfigError(UsageError):
    """The configuration is wrong; the message starts with file:line and the key."""


class InputError(UsageError):
    """A file is missing, unreadable or not what it claims to be; nothing of it was used."""


class MissingExtra(UsageError, ImportError):
    """An optional dependency is not installed; the message names the extra to install."""


class LedgerError(PairsmithError, RuntimeError):
    """The ledger is damaged, of another version, or cannot be written."""


class LeaseHeld(LedgerError):
    """Another live process holds the lease of a collecting stage in this project."""

    exit_code = 4


class BuildError(PairsmithError, RuntimeError):
    """A build directory is damaged, or a build cannot be written."""


class Incomplete(PairsmithError, RuntimeError):
    """Some of the wanted work is not done; what was done is stored and running again carries on."""

    exit_code = 4


class ModelError(PairsmithError, RuntimeError):
    """A model answered, and the answer cannot be used; retrying the same request would not help."""


class ModelUnavailable(ModelError, ConnectionError):
    """A model cannot be reached or refuses our credentials; the run stops and can be resumed."""

    exit_code = 5


class GateFailed(PairsmithError, RuntimeError):
    """The dataset did not pass its gate; the message lists each failed criterion with its remedy."""

    exit_code = 3
