"""Shell: what all nodes of a simulated cell compute alike is computed once: signatures, decoding, and what a block
leads to.

Every function that is shared depends on nothing but its arguments, and what it raises is never remembered. What a block
leads to is shared only with a node that holds the block's entries itself. The replay at the end of a run shares
nothing, so that a node's own mistake cannot hide here.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ledger.chain.chain
import ledger.chain.replay
import ledger.signing
import ledger.store.store
import ledger.sync.ingest
import ledger.sync.replication
import node.agreement.ordering
import node.core.core
from sim.patches import Patches

PURE = (
    (ledger.signing, "crypto_sign_open"),
    (ledger.sync.ingest, "open_entry"),
    (ledger.store.store, "open_entry"),
    (ledger.chain.replay, "decode_block"),
    (ledger.sync.replication, "decode_block"),
    (node.agreement.ordering, "decode_block"),
    (node.agreement.ordering, "open_vote"),
    (node.agreement.ordering, "open_proposal"),
    (node.core.core, "decode_frame"),
)
"""By the module that calls them. Bytes and frozen values in, frozen values out."""


@contextmanager
def shared_work() -> Iterator[None]:
    """While this lasts, equal work is done once; it is all forgotten afterwards."""
    with Patches() as patches:
        for module, name in PURE:
            patches.setattr(module, name, _remembered(getattr(module, name)))
        patches.setattr(ledger.chain.chain, "_derive", _derived_once(ledger.chain.chain._derive))
        yield


def _remembered(function: Callable[..., Any]) -> Callable[..., Any]:
    known: dict[tuple[Any, ...], Any] = {}

    def recall(*arguments: Any) -> Any:
        found = known.get(arguments)
        if found is None:
            found = known[arguments] = function(*arguments)
        return found

    return recall


def _derived_once(derive: Callable[..., Any]) -> Callable[..., Any]:
    """A tip and a content, whose heads name every entry by its hash, lead to one result."""
    known: dict[tuple[bytes, Any], Any] = {}

    def recall(tip: Any, application: Any, content: Any, source: Any) -> Any:
        found = known.get((tip.header_id, content))
        if found is None:
            found = known[tip.header_id, content] = derive(tip, application, content, source)
        else:
            frozen = ledger.chain.chain._freeze(tip, content.evidence)
            ledger.chain.chain._anchored_entries(tip, frozen, content.heads, source)
        return found

    return recall
