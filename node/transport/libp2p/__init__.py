"""The transport on py-libp2p 0.8.1, behind everything that version needs to survive; see docs/decisions.

The only package that imports the library. Import `node.transport.libp2p.adapter` when a network is started, not
before: the library takes most of a second to load.
"""
