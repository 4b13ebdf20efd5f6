"""The report page in a real browser: from the disk, with keyboard, in both themes and widths, with 300 runs."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import PHONE, WIDE, chromium, complaints, look, pixels, requested
from filelock import FileLock
from synthetic_report import NASTY, figure, many, report

from dip_experiments.store import Store

pytest.importorskip("selenium", reason="selenium is not installed")
By = pytest.importorskip("selenium.webdriver.common.by").By
ActionChains = pytest.importorskip("selenium.webdriver.common.action_chains").ActionChains
Keys = pytest.importorskip("selenium.webdriver.common.keys").Keys
pytestmark = pytest.mark.slow
RUNS = 300
FIRST, SECOND, LITTLE = "a" * 16, f"{1:016x}", f"{2:016x}"
SHOWN = "#table tbody tr:not([hidden])"
VIEWS = ("", "view=runs", f"view=run&run={FIRST}", f"view=compare&a={FIRST}&b={SECOND}", "view=compare")
ALL_RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
OF_COLOURS = {"type": "rule", "values": ["color-contrast"]}
"""All that another theme changes."""


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """index.html of 300 runs, made once for all processes that test."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "report-of-300-runs"
    results = root / "results"
    with FileLock(f"{root}.lock"):
        if not (results / "report").exists():
            many(results, RUNS)
            report(results, figure(results, Store(results).run(FIRST)))
    return results / "report" / "index.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


Visit = Callable[..., None]


@pytest.fixture
def visit(browser: Any, written: Path) -> Visit:
    """Opens a view of the page anew and waits until it is there."""

    def opened(view: str = "", size: tuple[int, int] = WIDE, theme: str = "light") -> None:
        look(browser, size, theme)
        browser.get("about:blank")
        browser.get(f"{written.as_uri()}#{view}")
        wait(lambda: browser.execute_script("return document.documentElement.dataset.ready"))
        if "run=" in view or "&b=" in view:
            wait(lambda: browser.find_elements(By.CSS_SELECTOR, ".plot canvas"))

    return opened


def wait(met: Callable[[], Any], seconds: float = 10) -> Any:
    """What `met` gives once it is something."""
    until = time.monotonic() + seconds
    while not (found := met()):
        if time.monotonic() > until:
            raise AssertionError("waited in vain")
        time.sleep(0.02)
    return found


def one(browser: Any, selector: str) -> Any:
    return browser.find_element(By.CSS_SELECTOR, selector)


def texts(browser: Any, selector: str) -> list[str]:
    return [found.text for found in browser.find_elements(By.CSS_SELECTOR, selector) if found.is_displayed()]


def address(browser: Any) -> str:
    return str(browser.current_url.partition("#")[2])


def choose(browser: Any, selector: str, value: str) -> None:
    one(browser, f"{selector} option[value='{value}']").click()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_every_view_is_shown_without_complaint_and_fits_the_screen(
    browser: Any, visit: Visit, size: tuple[int, int], theme: str
) -> None:
    for view in VIEWS:
        visit(view, size, theme)
        assert complaints(browser) == [], view
        wide = "const page = document.documentElement; return page.scrollWidth - page.clientWidth"
        assert browser.execute_script(wide) == 0, view
        assert len(texts(browser, "h1")) == 1, view
    assert not requested(browser) & {"http", "https", "ws", "wss"}


def test_300_runs_are_all_there(browser: Any, visit: Visit) -> None:
    visit("view=runs")
    assert len(browser.find_elements(By.CSS_SELECTOR, "#table tbody tr")) == RUNS


@pytest.mark.parametrize(("theme", "rules"), [("light", ALL_RULES), ("dark", OF_COLOURS)], ids=["light", "dark"])
def test_axe_finds_no_barrier_in_any_view(browser: Any, visit: Visit, theme: str, rules: dict[str, Any]) -> None:
    axe = pytest.importorskip("selenium_axe_python", reason="selenium-axe-python is not installed").Axe(browser)
    for view in ("", "view=runs&experiment=study_1&q=set/3", *VIEWS[2:4]):
        visit(view, WIDE, theme)
        axe.inject()
        found = axe.run(options={"runOnly": rules})
        assert [(fault["id"], fault["nodes"][0]["html"]) for fault in found["violations"]] == [], view


def test_names_with_html_in_them_do_nothing(browser: Any, visit: Visit) -> None:
    for view in ("view=runs", f"view=run&run={RUNS - 1:016x}", f"view=run&run={RUNS - 2:016x}"):
        visit(view)
        assert browser.title != "broken"
        assert browser.find_elements(By.CSS_SELECTOR, "img[src='x']") == []
    visit(f"view=run&run={RUNS - 1:016x}")
    assert one(browser, "#run h1").text.endswith(NASTY)


def test_filters_narrow_the_table_and_stand_in_the_address(browser: Any, visit: Visit) -> None:
    visit("view=runs")
    choose(browser, "select[name=experiment]", "study_1")
    one(browser, "input[name=q]").send_keys("set/3")
    shown = texts(browser, SHOWN)
    assert 0 < len(shown) < RUNS / 20
    assert all("study_1" in row and "set/3" in row for row in shown)
    assert f"{len(shown)} of {RUNS} runs" in one(browser, "#found").text
    asked = address(browser)
    visit(asked)
    assert texts(browser, SHOWN) == shown
    one(browser, "button[type=reset]").click()
    wait(lambda: f"{RUNS} of" in one(browser, "#found").text)


def test_a_column_sorts_both_ways_and_says_so(browser: Any, visit: Visit) -> None:
    visit("view=runs")
    head = one(browser, "th[data-column=average]")
    for word, sign in (("descending", -1), ("ascending", 1)):
        head.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
        assert head.get_attribute("aria-sort") == word
        cells = "document.querySelectorAll('#table tr:not(.own) td:nth-child(4)')"
        values = np.array(browser.execute_script(f"return [...{cells}].map((cell) => +cell.dataset.value)"))
        assert len(set(values)) > 5
        assert (np.diff(values) * sign >= 0).all()
        assert one(browser, "#table tbody tr").get_attribute("data-run") == FIRST  # own runs apart, before records
    assert "sort=average" in address(browser)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("lr=0.003", {3}), ("lr=3e-3", {3}), ("optimizer.lr=.25", {250}), ("lr=0.00", set()), ("no_norm", {7}),
        ("change=no_norm", {7}), ("norm=none", {7}), ("no_norm lr=0.003", set()), ("width 32", {9}), ("width 3", set()),
        ("study_1 set/3 lr=0.031", {31}), (f"{3:016x}", {3}),
    ],
)  # fmt: skip
def test_the_search_knows_settings(browser: Any, visit: Visit, query: str, found: set[int]) -> None:
    visit("view=runs")
    one(browser, "input[name=q]").send_keys(query)
    shown = {row.get_attribute("data-run") for row in browser.find_elements(By.CSS_SELECTOR, SHOWN)}
    assert shown == {f"{number:016x}" for number in found}


def test_the_name_of_a_setting_finds_the_runs_that_have_changed_it(browser: Any, visit: Visit) -> None:
    visit("view=runs&q=lr")
    hidden = browser.find_elements(By.CSS_SELECTOR, "#table tbody tr[hidden]")
    assert {row.get_attribute("data-run") for row in hidden} == {FIRST, f"{10:016x}"}  # 0.01 is the default
    visit("view=runs&q=norm")
    assert len(browser.find_elements(By.CSS_SELECTOR, SHOWN)) == 1


def test_two_runs_are_found_by_search_and_compared_by_keyboard(browser: Any, visit: Visit) -> None:
    visit("view=compare")
    assert len(browser.find_elements(By.CSS_SELECTOR, "#compare .hits a")) == 16
    for letter, query in (("a", "lr=0.003"), ("b", "no_norm")):
        half = f"#compare .pair > div:nth-child({'ab'.index(letter) + 1})"
        one(browser, f"{half} input").send_keys(query)
        assert one(browser, f"{half} [role=status]").text == "1 run"
        one(browser, f"{half} input").send_keys(Keys.ENTER)
        wait(lambda letter=letter: f"{letter}=00" in address(browser))
    wait(lambda: texts(browser, "#compare .legend button"))
    assert f"a={3:016x}&b={7:016x}" in address(browser)
    titles = texts(browser, "#compare .legend button")
    assert {"A: average of outputs", "B: average of outputs", "A: split stops", "B: split stops"} <= set(titles)
    assert [row for row in texts(browser, "#compare section:last-child tbody tr") if row.startswith("optimizer.lr ")]
    assert not [row for row in texts(browser, "#compare section:last-child tbody tr") if row.startswith("task.name ")]
    box = one(browser, "#compare .pair > div:nth-child(2) input")
    assert "no_norm" in box.get_attribute("value")
    box.send_keys(" ")  # its own title finds the run again
    assert texts(browser, "#compare .pair > div:nth-child(2) .hits li") == [box.get_attribute("value").strip()]


def test_the_slider_shows_another_iteration_by_keyboard(browser: Any, visit: Visit) -> None:
    visit(f"view=run&run={FIRST}&i=120")
    output = ".panes figure:nth-child(2) img"
    assert one(browser, output).get_attribute("src").endswith(f"assets/pictures/{FIRST}/iteration-000120.png")
    one(browser, "#iteration").send_keys(Keys.ARROW_LEFT)
    assert one(browser, output).get_attribute("src").endswith("iteration-000100.png")
    assert "i=100" in address(browser)
    wait(lambda: browser.execute_script(f"return document.querySelector('{output}').naturalWidth"))
    assert "not kept at this iteration; there is one at 20, 120" in one(browser, ".panes figure:nth-child(3)").text


def test_the_error_map_is_the_amplified_difference(browser: Any, visit: Visit) -> None:
    """The output is 10 grey levels brighter than the clean picture."""
    visit(f"view=run&run={FIRST}&i=100")
    np.testing.assert_allclose(pixels(one(browser, ".panes figure:nth-child(4) .frame")), 40, atol=1)


def test_all_stored_pictures_are_shown(browser: Any, visit: Visit) -> None:
    visit(f"view=run&run={FIRST}")
    captions = [caption.partition(",")[0] for caption in texts(browser, ".panes figcaption")]
    assert captions[:4] == ["what it saw", "output", "average of outputs", "error of the output"]
    assert sorted(captions[4:]) == ["clean picture", "flash picture", "output"]  # that of the latent unperturbed


def test_the_chart_tells_values_by_keyboard_and_hides_lines(browser: Any, visit: Visit) -> None:
    visit(f"view=run&run={FIRST}")
    plot = one(browser, ".plot")
    plot.send_keys(Keys.HOME)
    wait(lambda: "iteration 1:" in plot.get_attribute("aria-valuetext"))
    plot.send_keys(Keys.ARROW_RIGHT)
    wait(lambda: "iteration 2:" in plot.get_attribute("aria-valuetext"))
    assert "average of outputs 11.20 dB" in plot.get_attribute("aria-valuetext")  # the mean of 10.2 and 12.2
    button = one(browser, ".legend button")
    button.send_keys(Keys.SPACE)
    assert button.get_attribute("aria-pressed") == "false"
    assert "off=psnr_average" in address(browser)
    choose(browser, ".chooser:nth-child(2) select", "4")
    one(browser, ".plot").send_keys(Keys.HOME)
    wait(lambda: "single output 11.10 dB" in one(browser, ".plot").get_attribute("aria-valuetext"))


def test_the_chart_tells_values_under_the_pointer(browser: Any, visit: Visit) -> None:
    visit(f"view=run&run={FIRST}")
    assert one(browser, ".legend .at").text == "at the end"
    ActionChains(browser).move_to_element(one(browser, ".plot .u-over")).perform()
    at = int(wait(lambda: one(browser, ".legend .at").text.partition("iteration ")[2]))
    assert 50 < at < 70
    assert one(browser, ".legend .value").text == f"{11 + at / 10:.2f} dB"


def test_the_chart_turns_logarithmic_and_the_address_keeps_it(browser: Any, visit: Visit) -> None:
    visit(f"view=run&run={FIRST}")
    before = pixels(one(browser, ".plot"))
    one(browser, ".curves .controls button").send_keys(Keys.SPACE)
    assert "x=log" in address(browser)
    after = pixels(one(browser, ".plot"))
    assert (before != after).any()
    visit(address(browser))
    assert one(browser, ".curves .controls button").get_attribute("aria-pressed") == "true"


def test_all_rules_have_their_marks(browser: Any, visit: Visit) -> None:
    visit(f"view=run&run={FIRST}")
    legend = texts(browser, ".legend li")
    assert "fixed stops\n50" in legend
    assert "split stops\n80 to 90" in legend


def test_a_record_says_which_pictures_it_has_not(browser: Any, visit: Visit) -> None:
    visit(f"view=run&run={SECOND}")
    assert "No pictures are kept here" in one(browser, ".pictures").text
    assert browser.find_elements(By.CSS_SELECTOR, ".pictures img") == []
    visit(f"view=run&run={LITTLE}")
    strip = one(browser, ".pictures img.thumbnail")
    assert strip.get_attribute("alt") == "target, average, output"
    wait(lambda: browser.execute_script("return arguments[0].naturalWidth", strip) == 192)


def test_keyboard_skips_to_the_content(browser: Any, visit: Visit) -> None:
    visit()
    one(browser, "body").send_keys(Keys.TAB)
    skip = browser.switch_to.active_element
    assert skip.get_attribute("id") == "skip"
    skip.send_keys(Keys.ENTER)
    assert browser.switch_to.active_element.get_attribute("id") == "main"


def test_an_address_of_no_run_says_so(browser: Any, visit: Visit) -> None:
    visit("view=run&ru=x")
    assert "There is no run" in one(browser, "#run").text
    visit("view=figures&page=smoke/figures/fig4")
    assert browser.switch_to.active_element.get_attribute("id") == "page-smoke/figures/fig4"
