"""``python -m benchmarks``: list the benchmarks, or run one."""

import argparse

from benchmarks import race, threads

BENCHMARKS = {"race": race, "threads": threads}


def main() -> None:
    """Run the benchmark that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="name", required=True)
    for name, module in BENCHMARKS.items():
        command = commands.add_parser(name, help=module.__doc__.splitlines()[0])
        command.add_argument("--rounds", type=int, default=5, help="how often each is timed")
    arguments = parser.parse_args()
    BENCHMARKS[arguments.name].run(arguments.rounds)


if __name__ == "__main__":
    main()
