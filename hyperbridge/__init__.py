"""Text -> scene -> text: scenes, register LoRAs on one frozen base, and the bridge between them.

`Scene` and `Expression` cost nothing to import; `HyperBridge` brings torch only when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hyperbridge.errors import HyperBridgeError
from hyperbridge.scenes import Components, Expression, Registers, Scene

if TYPE_CHECKING:
    from hyperbridge.modeling.bridge import HyperBridge

__all__ = ["Components", "Expression", "HyperBridge", "HyperBridgeError", "Registers", "Scene"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "HyperBridge":
        from hyperbridge.modeling.bridge import HyperBridge

        return HyperBridge
    raise AttributeError(f"module 'hyperbridge' has no attribute {name!r}")
