import sys, asyncio, itertools
from pathlib import Path
sys.path.insert(0, str(Path(__file__).parents[1] / "core"))
from dataclasses import dataclass
from typing import Any
import pytest
from hypothesis import given, settings, strategies as st, HealthCheck, Phase
from random_runs import TrueWorld, specs, courses
from halon.core.virtual import run_virtually, Course
from temporal_bench import Bench
from test_runtimes import on_virtual_clock

@dataclass
class Random:
    base: Any
    numbers: list
    course: Any
    n: int
    @property
    def spec(self): return self.base.model_copy(update={"incident": f"random-{self.n}"})
    def world(self): return TrueWorld(list(self.numbers))

COL = []
@settings(max_examples=600, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck), database=None)
@given(data=st.data(), numbers=st.lists(st.integers(0, 10_000), min_size=5, max_size=40))
def collect(data, numbers):
    spec = data.draw(specs())
    text = str(spec.playbook)
    if "parallel=" in text and "max_parallel=1" not in text and "max_parallel" in text: return
    if "parallel={" in text or "now.get" in text: return
    c = data.draw(courses())
    c = Course(replies=[r.__class__(r.step, r.verdict, r.by, r.after + __import__("datetime").timedelta(seconds=3 + 4*i)) for i, r in enumerate(c.replies)], cancels=c.cancels, resolves_after=c.resolves_after)
    COL.append(Random(spec, numbers, c, len(COL)))

@pytest.mark.timeout(500)
@pytest.mark.asyncio(loop_scope="module")
async def test_random(temporal: Bench):
    await asyncio.to_thread(collect)
    bad = 0
    print("cases", len(COL))
    for one in COL:
        same = await asyncio.to_thread(on_virtual_clock, one)
        try:
            ran = await asyncio.wait_for(temporal.run(one), 20)
        except Exception as e:
            print("EXC", one.n, repr(e)); bad += 1; continue
        if ran.story != same.story or ran.result != same.result:
            bad += 1
            print("DIFF", one.n, one.base.playbook.model_dump(exclude_defaults=True, mode="json")["steps"])
            for a, b in itertools.zip_longest(ran.story, same.story):
                if a != b: print("   T", a); print("   V", b); break
    print("bad", bad)
