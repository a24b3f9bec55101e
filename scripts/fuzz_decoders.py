"""Searches for input that breaks a reader's promise (`sim.fuzzing.targets`), guided by the coverage of our own code.

    python scripts/fuzz_decoders.py [RUNS] [--corpus DIR] [--target NAME]

Needs the extra `fuzz`: pip install -c constraints.txt -e '.[fuzz]'. The corpus begins with valid messages of every
kind and keeps what reached new code. A finding ends the search with its trace and leaves the input in the corpus as
`crash-...`; `--replay FILE` runs one again.
"""

import argparse
import sys
import tracemalloc
from pathlib import Path
from random import Random

try:
    import atheris
except ImportError:
    sys.exit("fuzz_decoders: atheris is not installed: pip install -c constraints.txt -e '.[fuzz]'")

with atheris.instrument_imports(include=["ledger", "market", "node.wire", "devices"]):
    from sim.fuzzing.mutations import mutated
    from sim.fuzzing.target import Target, try_input
    from sim.fuzzing.targets import target_named, targets

SLOWEST_S, MOST_MEMORY_MB, LONGEST_BYTES = 20, 1024, 70_000
"""What ends the search as a finding, beside the promises themselves; and how long inputs grow."""


def arguments() -> argparse.Namespace:
    """What to run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=int, nargs="?", default=100_000, help="inputs to try (default 100000)")
    parser.add_argument("--corpus", type=Path, default=Path(".fuzz"), help="where inputs are kept")
    parser.add_argument("--target", help="only this one, for example 'blocks reply'")
    parser.add_argument("--replay", type=Path, help="run one input again")
    parser.add_argument("--seed", type=int, default=1, help="of the search (default 1)")
    return parser.parse_args()


def write_seeds(corpus: Path, chosen: tuple[Target, ...]) -> None:
    """Valid messages as files, the first byte naming the target."""
    corpus.mkdir(parents=True, exist_ok=True)
    for index, target in enumerate(chosen):
        for number, seed in enumerate(target.seeds):
            name = f"seed-{target.name.replace(' ', '-')}-{number}"
            (corpus / name).write_bytes(bytes([index]) + seed)


def main() -> None:
    """Search, or replay."""
    wanted = arguments()
    chosen = targets() if wanted.target is None else (target_named(wanted.target),)
    seeds = [seed for target in chosen for seed in target.seeds]

    def one_input(data: bytes) -> None:
        if data:
            try_input(chosen[data[0] % len(chosen)], data[1:])

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        """Half of the time a change that knows messages, else one of the fuzzer's own."""
        random = Random(seed)
        if not data or random.random() < 0.5:
            return bytes(atheris.Mutate(data, most))
        return (data[:1] + mutated(data[1:], random.choice(seeds), random))[:most]

    tracemalloc.start()
    if wanted.replay is not None:
        one_input(wanted.replay.read_bytes())
        return
    write_seeds(wanted.corpus, chosen)
    options = [
        f"-runs={wanted.runs}",
        f"-seed={wanted.seed}",
        f"-timeout={SLOWEST_S}",
        f"-rss_limit_mb={MOST_MEMORY_MB}",
        f"-max_len={LONGEST_BYTES}",
        f"-artifact_prefix={wanted.corpus}/",
        "-verbosity=0",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(wanted.corpus)], one_input, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
