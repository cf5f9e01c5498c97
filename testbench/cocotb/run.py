"""Compiles the card of a job folder with Icarus and runs the checks of card.py on it: run.py FOLDER."""

import json
import os
import sys
from pathlib import Path

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner


def main(folder):
    job = json.loads((folder / "job.json").read_text())
    checks = Path(__file__).resolve().parent
    os.environ["PYTHONPATH"] = os.pathsep.join([str(checks), os.environ.get("PYTHONPATH", "")])
    runner = get_runner("icarus")
    build = folder / "build"
    runner.build(
        sources=[folder / name for name in job["sources"]],
        hdl_toplevel=job["top"],
        build_dir=build,
        build_args=["-g2005"],
        timescale=("1ns", "1ps"),
    )
    results = runner.test(
        hdl_toplevel=job["top"],
        test_module="card",
        build_dir=build,
        test_dir=build,
        timescale=("1ns", "1ps"),
        extra_env={"MATTOCK_JOB": str(folder / "job.json"), "COCOTB_LOG_LEVEL": "WARNING"},
    )
    tests, failed = get_results(results)
    return 0 if tests and not failed else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
