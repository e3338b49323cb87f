"""Sum up the test runs of .ci/run. A test that was skipped fails the gate: a machine of ours can run all of them."""

import sys
import xml.etree.ElementTree as ET
from pathlib import Path


def main(reports: list[str]) -> int:
    """Print each run, each skipped test, and the one line with the sum."""
    passed = failed = skipped = 0
    for report in reports:
        run_passed, run_failed, reasons = read(Path(report))
        print(f"{Path(report).stem}: {run_passed} passed, {run_failed} failed, {len(reasons)} skipped")
        for name, reason in reasons:
            print(f"  skipped: {name}: {reason}")
        passed, failed, skipped = passed + run_passed, failed + run_failed, skipped + len(reasons)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or skipped or not passed else 0


def read(report: Path) -> tuple[int, int, list[tuple[str, str]]]:
    """Give how many passed and failed, and which were skipped and why."""
    passed = failed = 0
    skipped: list[tuple[str, str]] = []
    for case in ET.parse(report).getroot().iter("testcase"):
        outcome = next((child for child in case if child.tag in {"failure", "error", "skipped"}), None)
        if outcome is None:
            passed += 1
        elif outcome.tag == "skipped":
            skipped.append((f"{case.get('classname')}::{case.get('name')}", outcome.get("message", "")))
        else:
            failed += 1
    return passed, failed, skipped


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
