"""Peers: other people's methods behind the benchmark's interface, tuned on the window before T."""

from benchmarks.recommendation.peers.tuned import peers

__all__ = ["peers"]
