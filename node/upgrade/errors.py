"""Why a release is not taken."""

from node.errors import NodeError
from node.exit_codes import ExitCode


class ReleaseRefusedError(NodeError):
    """The file is no release that this node may run; the message names the rule and what to do. Nothing was changed."""

    exit_code = ExitCode.FAILED
