"""docs/telemetry.md names every metric that Halon itself makes."""

import re
from pathlib import Path

import halon

ROOT = Path(__file__).parents[2]
PACKAGE = Path(halon.__file__).parent
MADE = re.compile(r"create_(counter|histogram)\(\s*\"(halon\.[a-z.]+)\"")
SUFFIX = {"counter": "_total", "histogram": "_seconds"}


def test_every_metric_is_on_the_page() -> None:
    sources = [file.read_text(encoding="utf-8") for file in sorted(PACKAGE.rglob("*.py"))]
    made = {name.replace(".", "_") + SUFFIX[kind] for text in sources for kind, name in MADE.findall(text)}
    stock = set(re.findall(r'^    "(halon\.[a-z.]+)": ', (PACKAGE / "telemetry.py").read_text(), re.MULTILINE))
    told = re.findall(r"^\| `(halon_[a-z_]+)` \|", (ROOT / "docs/telemetry.md").read_text(), re.MULTILINE)
    assert sorted(told) == sorted(made | {name.replace(".", "_") for name in stock})
