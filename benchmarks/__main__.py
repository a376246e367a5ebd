"""``python -m benchmarks``: list the benchmarks, or run one."""

import argparse
import sys
from types import ModuleType

from benchmarks import (
    bytes,
    courses,
    kernels,
    memory,
    options,
    partial_fit,
    predict,
    race,
    report,
    saving,
    scaling,
    sparse,
    streaming,
)

BENCHMARKS: dict[str, ModuleType] = {
    "race": race,
    "kernels": kernels,
    "predict": predict,
    "memory": memory,
    "scaling": scaling,
    "options": options,
    "saving": saving,
    "bytes": bytes,
    "sparse": sparse,
    "streaming": streaming,
    "partial_fit": partial_fit,
    "courses": courses,
}


def _summary(module: ModuleType) -> str:
    return (module.__doc__ or "").splitlines()[0]


def _parser() -> argparse.ArgumentParser:
    """The command line, with a command for each benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="name")
    for name, module in BENCHMARKS.items():
        command = commands.add_parser(
            name,
            help=_summary(module),
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_argument(
            "--rounds", type=int, default=5, help="how often to time each contender"
        )
        if len(module.DTYPES) > 1:
            command.add_argument("--dtype", choices=[*module.DTYPES, "both"], default="both")
        command.add_argument("--only", default="", help="run only cases with this in their names")
        command.add_argument(
            "--rows-limit", type=int, help="use at most this many rows, for a quick trial"
        )
        command.add_argument("--saved", action="store_true", help="print the saved results instead")
        command.add_argument(
            "--write", action="store_true", help="save the results, the tables and the figures"
        )
    return parser


def main() -> None:
    """Run the benchmark that the command line names, or list all."""
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.name is None:
        for name, module in BENCHMARKS.items():
            print(f"{name:8} {_summary(module)}")
        return
    module = BENCHMARKS[arguments.name]
    if arguments.saved:
        results = report.read_results(arguments.name)
    else:
        dtype = getattr(arguments, "dtype", "both")
        if arguments.write and (arguments.only or dtype != "both"):
            parser.error("--write saves complete results: use it without --only and --dtype")
        options = report.Options(
            rounds=arguments.rounds,
            dtypes=module.DTYPES if dtype == "both" else (dtype,),
            only=arguments.only,
            rows_limit=arguments.rows_limit,
        )
        results = module.measure(options)
    print(report.page(results, module.tables(results)))
    if arguments.write:
        report.write(arguments.name, module, results)
    if results["errors"]:
        sys.exit(f"{len(results['errors'])} errors, listed above")


if __name__ == "__main__":
    main()
