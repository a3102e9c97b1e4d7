"""One run's page: what it called, touched, used and left; what led to it; how it compares; how it is steered."""

from __future__ import annotations

import re

import pytest

from core.domain import run
from core.domain.words import Artifact, Usage
from tests.console.tower import ONE_TRY, Tower

RUN = "/runs/default/load~1"
DIFF = "--- a/x.py\n+++ b/x.py\n@@ -1,2 +1,2 @@\n same\n-old <b>\n+new <b>\n"


async def page(tower: Tower, path: str) -> str:
    answer = await tower.client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


# -- files, calls, cost -------------------------------------------------------------------------------------------


async def told(busy: Tower) -> None:
    """Files with diffs, and what two calls to the model used."""
    busy.see("default/load~1", 5, "file", name="src/x.py", says="changed", ref="c2", diff=DIFF, added=1, removed=1)
    busy.see("default/load~1", 6, "file", name="src/y.py", says="changed", diff="@@ -0,0 +1,900 @@\n" + "+line\n" * 900,
             added=900, removed=0)  # fmt: skip
    busy.see("default/load~1", 7, "usage", name="m-1", ref="c1", usage=Usage(input_tokens=100, cost_uusd=2_000))
    busy.see("default/load~1", 8, "usage", name="m-1", usage=Usage(input_tokens=150, output_tokens=9, cost_uusd=4_500))
    busy.see("default/load~1", 9, "tool", name="Write", ref="c3", says="out.csv", data={"input": {"path": "out.csv"}})
    await busy.folded()


async def test_a_files_diff_is_drawn_with_line_numbers_and_everything_in_it_escaped(busy: Tower):
    await told(busy)
    html = await page(busy, f"{RUN}?tab=files&file=src/x.py")
    assert (
        '<tr class="del"><td class="ln">2</td><td class="ln"></td><td class="sg">−</td><td>old &lt;b&gt;</td>' in html
    )
    assert (
        '<tr class="add"><td class="ln"></td><td class="ln">2</td><td class="sg">+</td><td>new &lt;b&gt;</td>' in html
    )
    assert "+line" not in html


async def test_a_long_diff_is_cut_until_it_is_asked_for(busy: Tower):
    await told(busy)
    html = await page(busy, f"{RUN}?tab=files&file=src/y.py")
    assert html.count('<tr class="add">') == 399
    assert "501 more lines" in html
    assert (await page(busy, f"{RUN}?tab=files&file=src/y.py&all=1")).count('<tr class="add">') == 900


async def test_a_file_that_was_not_touched_says_so(busy: Tower):
    assert "no diff was told" in await page(busy, f"{RUN}?tab=files&file=src/nope.py")


async def test_a_tool_call_stands_with_its_input_its_result_and_how_it_ended(busy: Tower):
    html = await page(busy, f"{RUN}?tab=calls")
    assert html.count('<details id="call-') == 2
    assert '<li data-state="failed">' in html
    assert "psql -f load.sql" in html
    assert "It is not back yet." in html
    failed = await page(busy, f"{RUN}?tab=calls&failed=1")
    assert failed.count('<details id="call-') == 1


async def test_what_each_call_to_the_model_used_is_the_difference_of_its_totals(busy: Tower):
    await told(busy)
    html = await page(busy, f"{RUN}?tab=cost")
    assert "$0.0020" in html
    assert "$0.0025" in html
    rows = re.findall(r"<td class=\"cut\" title=\"([^\"]*)\">", html)
    assert rows == ["Write", "Bash"]  # newest first; the first is named by its ref


async def test_what_nobody_priced_is_estimated_and_says_so_and_the_context_shows_how_full_it_is(tower: Tower):
    await tower.register(agents=1, model="claude-sonnet-4-5")
    await tower.submit("priced")
    await tower.start("default/priced~1")
    used = Usage(input_tokens=10_000, cache_read_tokens=90_000, output_tokens=500)
    tower.see("default/priced~1", 1, "usage", name="claude-sonnet-4-5", usage=used)
    epoch = tower.epoch("w1")
    await tower.order(run.Progress(run_id="default/priced~1", worker_id="w1", epoch=epoch, step="on it", usage=used))
    await tower.folded()
    html = await page(tower, "/runs/default/priced~1")
    assert "by the price list" in html
    assert re.search(r"context \d+ % full", html)
    assert "≈" in await page(tower, "/runs/default/priced~1?tab=cost")


async def test_a_model_no_list_knows_is_unpriced_and_never_free(tower: Tower):
    await tower.register(agents=1, model="homegrown-1")
    await tower.submit("odd")
    await tower.start("default/odd~1")
    used = Usage(input_tokens=10_000, output_tokens=500)
    tower.see("default/odd~1", 1, "usage", name="homegrown-1", usage=used)
    epoch = tower.epoch("w1")
    await tower.order(run.Progress(run_id="default/odd~1", worker_id="w1", epoch=epoch, usage=used))
    await tower.folded()
    for tab in ("", "cost"):
        assert '<b class="caution">unpriced</b>' in await page(tower, f"/runs/default/odd~1?tab={tab}")


async def test_what_its_processes_use_stands_beside_its_state(busy: Tower):
    data = {"memory": 203_000_000, "peak": 310_000_000, "processes": 3, "cpu_ms": 12_300}
    busy.see("default/load~1", 5, "resources", says="203 MB", data=data)
    await busy.folded()
    html = await page(busy, RUN)
    assert '<span class="quiet">Memory</span>203.0\u00a0MB' in html
    assert "at most 310.0\u00a0MB" in html
    assert '<span class="quiet">Processor</span>12\u00a0s' in html
    assert "203 MB" not in (await busy.client.get("/tasks/default/load")).text  # not a line of the record
    busy.see("default/load~1", 6, "resources", data={"memory": "lots"})
    await busy.folded()
    assert '<span class="quiet">Memory</span>' not in await page(busy, RUN)


async def test_the_chain_begins_with_the_order_that_brought_the_task(busy: Tower):
    html = await page(busy, RUN)
    chain = html[html.index("Why it runs") :]
    assert chain.index("seal plan") < chain.index("finish run") < chain.index("given to")
    assert '<a class="id" href="/tasks/default/schema">' in chain


# -- artifacts ----------------------------------------------------------------------------------------------------

REPORT = b"# Done <script>alert(1)</script>\n\n[x](javascript:alert(1))\n"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 8


async def left(tower: Tower, **files: bytes) -> dict[str, str]:
    """The run ends and leaves these; their sums."""
    sums = {name: await tower.artifacts.keep(data) for name, data in files.items()}
    named = [Artifact(name=name.replace("_", "."), sha256=sums[name], size=len(files[name])) for name in files]
    answer = await tower.finish("default/load~1", artifacts=named)
    assert answer.outcome == "done", answer.reason
    await tower.folded()
    return sums


async def test_artifacts_are_listed_and_opened_by_what_they_are(busy: Tower):
    sums = await left(busy, report_md=REPORT, data_json=b'{"a":[1]}', shot_png=PNG, page_svg=b"<svg onload=alert(1)>",
                      change_diff=DIFF.encode(), raw_bin=b"\0\1")  # fmt: skip

    async def view(name: str) -> str:
        return await page(busy, f"{RUN}?tab=artifacts&artifact={sums[name]}")

    report = await view("report_md")
    assert "<script>alert" not in report
    assert "javascript:" not in report.partition("Done")[2].partition("</main>")[0].replace("[x](javascript:", "")
    assert "&#34;a&#34;: [" in await view("data_json")
    assert f'src="{RUN}/artifacts/{sums["shot_png"]}?show=1"' in await view("shot_png")
    assert "&lt;svg onload" in await view("page_svg")
    assert '<tr class="add">' in await view("change_diff")
    assert "no text and no picture" in await view("raw_bin")


async def test_an_artifact_goes_out_as_an_attachment_and_never_as_a_page(busy: Tower):
    sums = await left(busy, page_html=b"<script>alert(1)</script>", shot_png=PNG)
    for asked in ("", "?show=1"):
        answer = await busy.client.get(f"{RUN}/artifacts/{sums['page_html']}{asked}")
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"] == 'attachment; filename="page.html"'
        assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert answer.headers["x-content-type-options"] == "nosniff"
    painted = await busy.client.get(f"{RUN}/artifacts/{sums['shot_png']}?show=1")
    assert painted.headers["content-type"] == "image/png"
    assert painted.headers["content-security-policy"] == "sandbox; default-src 'none'"


async def test_only_what_the_run_left_can_be_had_by_its_address(busy: Tower):
    await left(busy, report_md=REPORT)
    other = await busy.artifacts.keep(b"of another run")
    assert (await busy.client.get(f"{RUN}/artifacts/{other}")).status_code == 404
    assert (await busy.client.get(f"{RUN}/artifacts/..%2f..%2fetc")).status_code == 404


async def test_an_artifact_whose_bytes_are_gone_says_so(busy: Tower):
    sums = await left(busy, report_md=REPORT)
    busy.artifacts.kept.clear()
    assert "not in the store any more" in await page(busy, f"{RUN}?tab=artifacts")
    assert (await busy.client.get(f"{RUN}/artifacts/{sums['report_md']}")).status_code == 404


# -- two runs -----------------------------------------------------------------------------------------------------


async def test_two_runs_are_laid_side_by_side(busy: Tower):
    await busy.order_and_fold({"type": "task.retry", "task_id": "default/broken"})
    for n, (name, says) in enumerate((("Read", "a.py"), ("Bash", "make test"))):
        busy.see("default/broken~1", n, "tool", name=name, says=says, ref=f"c{n}")
    busy.see("default/broken~2", 0, "tool", name="Bash", says="make test", ref="c0")
    await busy.folded()
    html = await page(busy, "/runs/default/broken~2?tab=compare")
    assert "broken~1" in html
    assert "67 % alike" in html
    assert '<tr class="del"><td class="num quiet">1</td><td><span class="cut" title="Read a.py">' in html


@pytest.mark.parametrize(
    ("other", "says"), [("default/broken~9", "There is no run"), ("default/broken~1", "That is this very run")]
)
async def test_a_run_that_cannot_be_compared_with_says_why(busy: Tower, other: str, says: str):
    assert says in await page(busy, f"/runs/default/broken~1?tab=compare&with={other}")


async def test_a_tab_that_does_not_exist_names_those_that_do(busy: Tower):
    answer = await busy.client.get(f"{RUN}?tab=magic")
    assert answer.status_code == 422
    assert "output, calls, files" in answer.text


async def test_every_tab_of_a_run_that_did_nothing_is_a_page_of_its_own(tower: Tower):
    await tower.register(agents=1)
    await tower.submit("idle", policy=ONE_TRY)
    await tower.folded()
    for tab in ("", "output", "calls", "files", "artifacts", "cost", "compare"):
        assert "<h1>Run 1</h1>" in await page(tower, f"/runs/default/idle~1?tab={tab}")


# -- controls -----------------------------------------------------------------------------------------------------


async def test_a_run_is_held_and_let_go_on_by_its_forms(busy: Tower):
    html = await page(busy, RUN)
    assert 'value="run.hold"' in html
    assert 'value="run.message"' in html
    await busy.order_and_fold({"type": "run.hold", "run_id": "default/load~1", "reason": "let me look"})
    held = await page(busy, RUN)
    assert 'value="run.continue"' in held
    assert "held by api: let me look; its time limit stands still" in held
    assert "Held" in held
    await busy.order_and_fold({"type": "run.continue", "run_id": "default/load~1"})
    assert 'value="run.hold"' in await page(busy, RUN)


async def test_what_became_of_a_message_stands_among_the_steps(busy: Tower):
    busy.see("default/load~1", 5, "message", name="delivered", says="mind the tests")
    busy.see("default/load~1", 6, "message", name="refused", says="it listens to nobody", failed=True)
    await busy.folded()
    html = await page(busy, RUN)
    assert "<b>You said</b> mind the tests" in html
    assert "<b>Not delivered</b> it listens to nobody" in html
