"""The app's tabs and the static page in Chromium: errors, requests to elsewhere, accessibility, keys."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from pfld.commands.site import write_site
from support.browser import browser_api, served
from support.running_app import launch_chromium, start_app

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PATIENCE_MS = 30_000
SETTLING_MS = 1000  # until colours have changed; the app's page is never without a request
TABS = ("live", "pair", "photo", "video", "benchmark", "about")
WIDTHS = (1440, 390)
SCHEMES = ("light", "dark")
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"],
    "resultTypes": ["violations"],
}
# What is drawn last in each tab, and not drawn in the others.
LAST = {
    "live": "#live-view .pf-words",
    "pair": "#pair-view .pf-words",
    "photo": "#photo-status",
    "video": "#video-status",
    "benchmark": "#benchmark-errors svg",
    "about": ".pf-about-columns",
}

sync_api = browser_api()


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """The address of the app."""
    process, address = start_app(tmp_path_factory.mktemp("log") / "log.txt")
    yield address
    process.terminate()
    process.wait(30)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The address of the static page."""
    folder = tmp_path_factory.mktemp("site")
    write_site(folder, ["ghostone-small"])
    with served(folder) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """Opens pages. Errors in the console and requests to other hosts fail the test."""
    contexts, troubles = [], []

    def open_page(address, width=1440, scheme="light"):
        host = address.split("?")[0]
        size = {"width": width, "height": 900}
        context = browser.new_context(viewport=size, color_scheme=scheme)
        contexts.append(context)

        def note_request(request):
            if not request.url.startswith((host, "data:", "blob:")):
                troubles.append(request.url)

        def note_console(message):
            if message.type == "error":
                troubles.append(message.text)

        context.on("request", note_request)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", note_console)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []


def open_tab(visit, app, tab, *look):
    page = visit(f"{app}?tab={tab}", *look)
    page.wait_for_selector(LAST[tab], state="visible")
    page.wait_for_timeout(SETTLING_MS)
    return page


def violations(page):
    """What axe-core finds, as lines."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("tab", TABS)
def test_a_tab_is_accessible_and_fits_the_screen(visit, app, tab, width, scheme):
    page = open_tab(visit, app, tab, width, scheme)
    assert violations(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["index.html", "licences.html"])
def test_the_static_page_is_accessible_and_fits_the_screen(visit, site, name, width, scheme):
    page = visit(site, width, scheme)
    page.wait_for_load_state("networkidle")
    if name != "index.html":
        page.goto(site + name)
    assert violations(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0


def test_the_check_finds_what_is_wrong(visit, app):
    page = open_tab(visit, app, "about")
    page.evaluate(
        "() => document.querySelector('.pf-about').insertAdjacentHTML('beforeend', "
        "'<button></button><p style=\"color: #ccc; background: #fff\">pale</p><input>')"
    )
    found = {line.partition(":")[0] for line in violations(page)}
    assert {"button-name", "color-contrast", "label"} <= found


def test_a_group_of_radio_buttons_is_one_stop_for_tab_and_arrows_move_in_it(visit, app):
    page = open_tab(visit, app, "photo")
    first, second = (
        page.locator("#photo-settings, .pf-settings").locator("fieldset").nth(i) for i in (0, 1)
    )
    chosen = first.locator("input:checked")
    network = chosen.input_value()
    chosen.focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_function("name => document.activeElement.value !== name", arg=network)
    assert first.locator("input:checked").count() == 1
    assert first.locator("input:checked").input_value() == page.evaluate(
        "document.activeElement.value"
    )
    page.wait_for_timeout(
        3000
    )  # the modes of the other network are loaded, on a busy machine as well
    page.keyboard.press("Tab")
    assert (
        page.evaluate("document.activeElement.value")
        == second.locator("input:checked").input_value()
    )
    page.keyboard.press("Shift+Tab")
    assert (
        page.evaluate("document.activeElement.value")
        == first.locator("input:checked").input_value()
    )


def test_the_network_that_is_chosen_in_live_stands_out_among_errors(visit, app):
    page = open_tab(visit, app, "benchmark")

    def shown():
        return page.evaluate(
            "() => [...document.querySelectorAll('.pf-scatter .pf-track')].filter((track) => "
            "getComputedStyle(track.querySelector('text')).fontWeight === '700')"
            ".map((track) => track.dataset.network)"
        )

    assert shown() == ["ghostone-heatmap"]
    page.get_by_role("tab", name="Live").click()
    page.select_option("#live-view .pf-network", "ghostnet")
    page.get_by_role("tab", name="Benchmark").click()
    page.wait_for_selector(LAST["benchmark"], state="visible")
    assert shown() == ["ghostnet"]
