"""The command behind `make chaos`: many seeded runs, a line for each, and how to repeat those in which something broke.

python tests/chaos/chaos.py --runs 500 --seed 1
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "e2e")]

from run import Report, draw, play  # noqa: E402  # the path comes first
from stage import Stage, stage  # noqa: E402
from temporalio.runtime import Runtime, TelemetryConfig  # noqa: E402

A_STAGE = 25
"""Runs on one stage: then its processes are stopped, nothing of them may be left, and the next stage begins anew."""


def say(line: str) -> None:
    """Write a line at once, also into a pipe."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def lane(number: int, seeds: Iterator[int], home: Path, reports: list[Report]) -> None:
    """Play runs one after the other, on one stage after the other, until no seed is left."""
    stages = 0
    seed = next(seeds, None)
    while seed is not None:
        stages += 1
        root = Path(tempfile.mkdtemp(prefix=f"lane{number}-{stages}-", dir=home))
        failed = False
        async with stage(root) as here:
            for _ in range(A_STAGE):
                report = await played(here, seed)
                reports.append(report)
                tell(report, len(reports))
                seed = next(seeds, None)
                failed = bool(report.breaches)
                if failed or seed is None:
                    break
            if not failed:
                for problem in await here.proof():
                    report.breaches.append(f"halon audit verify: {problem}")
                    report.logs = root
        unclean = [f"{part} does not end when it is told to" for part in here.engine.stubborn]
        unclean += [f"process {one} is left" for one in processes_of(root)]
        for problem in unclean:
            report.breaches.append(f"rest: {problem}")
            report.logs = root
            say(f"       after seed {report.drawn.seed}: {problem}, see {root}")
        if not report.breaches:
            shutil.rmtree(root)


async def played(here: Stage, seed: int) -> Report:
    """Play one run. What the harness itself stumbles over is told like a breach: it may be one."""
    drawn = draw(seed)
    try:
        return await play(here, drawn)
    except Exception as error:  # noqa: BLE001  # the edge of a run: the others go on
        traceback.print_exception(error)
        return Report(drawn, breaches=[f"the harness: {error!r}"], logs=here.root)


def processes_of(root: Path) -> list[str]:
    """The processes that have a stage's directory on their command line."""
    found: list[str] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:  # it has ended meanwhile
                continue
            if any(word.startswith(str(root)) for word in words):
                found.append(f"{entry.name} {' '.join(words)[:200]}")
    return found


def tell(report: Report, count: int) -> None:
    """Tell what a run came to, in a line; and all of it when something broke."""
    drawn = report.drawn
    plays = ", ".join(scene.script.name for scene in drawn.scenes)
    what = f"{sum(report.kills.values())} kills, {sum(report.faults.values())} faults, {report.writes} writes"
    outcomes = " ".join(f"{name}:{number}" for name, number in sorted(report.outcomes.items()))
    verdict = "BROKEN" if report.breaches else "ok"
    say(f"{count:4} seed {drawn.seed:<6} {verdict:<6} {report.seconds:5.1f} s  {what}  [{plays}]  {outcomes}")
    for breach in report.breaches:
        say(f"       {breach}")
    if report.breaches:
        say(f"       again: make chaos RUNS=1 SEED={drawn.seed}      logs, writes and audit: {report.logs}")


def summary(reports: list[Report], seconds: float) -> None:
    """Tell what all runs came to."""
    broken, writes = [one for one in reports if one.breaches], sum(one.writes for one in reports)
    kills, faults, outcomes = (
        sum((Counter(getattr(one, name)) for one in reports), Counter[str]())
        for name in ("kills", "faults", "outcomes")
    )
    say("")
    say(f"{len(reports)} runs in {seconds / 60:.1f} min, {len(broken)} broken, {writes} writes")
    for name, counted in (("kills", kills), ("faults", faults), ("outcomes", outcomes)):
        say(
            f"{name}: {sum(counted.values())} ({', '.join(f'{what} {count}' for what, count in counted.most_common())})"
        )
    scripts = Counter(scene.script.name for one in reports for scene in one.drawn.scenes)
    say(f"stories: {sum(scripts.values())} ({', '.join(f'{what} {count}' for what, count in scripts.most_common())})")
    for one in broken:
        say(f"broken: make chaos RUNS=1 SEED={one.drawn.seed}      {one.logs}")


async def chaos(runs: int, seed: int, lanes: int) -> int:
    """Play them all; gives the exit code."""
    home = Path(tempfile.mkdtemp(prefix="halon-chaos-"))  # temporary, but kept when something broke
    seeds = iter(range(seed, seed + runs))
    reports: list[Report] = []
    begun = time.monotonic()
    say(f"{runs} runs from seed {seed}, {lanes} at a time; in {home}")
    async with asyncio.TaskGroup() as group:
        for number in range(min(lanes, runs)):
            group.create_task(lane(number, seeds, home, reports))
    summary(reports, time.monotonic() - begun)
    broken = any(one.breaches for one in reports)
    if not broken:
        shutil.rmtree(home, ignore_errors=True)
    return 1 if broken else 0


def main() -> None:
    """Run as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=500, help="how many; each has its own seed")
    parser.add_argument("--seed", type=int, default=1, help="the first seed; the others follow it")
    parser.add_argument("--lanes", type=int, default=4, help="runs at the same time, each with an engine of its own")
    arguments = parser.parse_args()
    # The client says of each attempt that Temporal is down, which is so on purpose.
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=None)))
    sys.exit(asyncio.run(chaos(arguments.runs, arguments.seed, arguments.lanes)))


if __name__ == "__main__":
    main()
