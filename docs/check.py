"""Build the documentation and check every page in a browser.

``python docs/check.py`` builds with all warnings as errors, then opens every page in headless
Chromium, once as wide as a screen and once as narrow as a phone. It fails if

- a page logs an error on its console, or something cannot be loaded,
- a picture does not show, or the page is wider than its window,
- a link leads to a page or a place on a page that does not exist,
- the search does not find what it should,
- the search cannot be reached by the keyboard.

It needs the extra ``docs``, and Chromium with its driver (Debian's packages chromium and
chromium-driver).
"""

import functools
import http.server
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

DOCS = Path(__file__).resolve().parent
HTML = DOCS / "_build" / "html"
WIDTHS = {"screen": 1280, "phone": 390}
SEARCHES = {
    "dropout": "guide/learning",
    "HistoryDisplay": "generated/cymlp.plotting.HistoryDisplay",
}

LINKS = "return Array.from(document.querySelectorAll('a[href]'), link => link.href)"
PLACES = "return Array.from(document.querySelectorAll('[id]'), element => element.id)"
HIDDEN_PICTURES = """
return Array.from(document.images)
    .filter(picture => !(picture.complete && picture.naturalWidth))
    .map(picture => picture.src)
"""
LOAD_ALL_PICTURES = "document.querySelectorAll('img').forEach(img => { img.loading = 'eager'; })"
OVERFLOW = """
const boxes = [document.documentElement, ...document.querySelectorAll('.bd-article-container')];
return Math.max(...boxes.map(element => element.scrollWidth - element.clientWidth));
"""


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without logging."""

    def log_message(self, format, *args):
        """Log nothing."""


def build():
    """Build all pages from scratch; warnings are errors."""
    for folder in (HTML, DOCS / "generated", DOCS / "gallery"):
        shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    subprocess.run([*command, str(DOCS), str(HTML)], check=True)


def chromium():
    """A headless Chromium that records the messages of its console."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))


def faults_of_page(browser, page):
    """Describe what is wrong with the page that the browser shows."""
    for entry in browser.get_log("browser"):
        if entry["level"] == "SEVERE":
            yield f"{page}: {entry['message']}"
    for picture in browser.execute_script(HIDDEN_PICTURES):
        yield f"{page}: {picture} does not show"
    if (pixels := browser.execute_script(OVERFLOW)) > 0:
        yield f"{page}: {pixels} pixels wider than {browser.get_window_size()['width']}"


def faults_of_links(links, places):
    """Describe the links (page, target) that lead nowhere; ``places`` has the ids of each page."""
    for page, target in sorted(links):
        url, place = urldefrag(target)
        path = unquote(urlsplit(url).path).lstrip("/")
        if not (HTML / path).is_file():
            yield f"{page}: {target} is not a file"
        elif place and path in places and unquote(place) not in places[path]:
            yield f"{page}: {target} is not a place on that page"


def faults_of_search(browser, root):
    """Describe what the search does not find."""
    for words, page in SEARCHES.items():
        browser.get(f"{root}search.html?q={words}")
        WebDriverWait(browser, 20).until(  # its summary comes last
            lambda browser: browser.find_elements(
                By.CSS_SELECTOR, "#search-results .search-summary"
            )
        )
        found = browser.find_elements(By.CSS_SELECTOR, "#search-results li a")
        if not any(f"/{page}.html" in (link.get_attribute("href") or "") for link in found):
            yield f"search: {words!r} does not find {page}"


def faults_of_keyboard(browser, root):
    """Check that Ctrl+K opens the search, and that the first Tab leads to the content."""
    browser.get(f"{root}index.html")
    body = browser.find_element(By.TAG_NAME, "body")
    body.send_keys(Keys.TAB)
    first = browser.switch_to.active_element
    if not (first.get_attribute("href") or "").endswith("#main-content"):
        yield f"keyboard: the first Tab leads to {first.get_attribute('outerHTML')}"
    body.send_keys(Keys.CONTROL + "k")
    if browser.switch_to.active_element.get_attribute("type") != "search":
        yield "keyboard: Ctrl+K does not lead to the search"


def faults(browser, root):
    """Describe everything that is wrong with the pages."""
    paths = (path.relative_to(HTML) for path in HTML.rglob("*.html"))
    pages = sorted(str(path) for path in paths if path.parts[0] != "_static")
    links, places = set(), {}
    for page in pages:
        for width in WIDTHS.values():
            browser.set_window_size(width, 900)
            browser.get(root + page)
            browser.execute_script(LOAD_ALL_PICTURES)
            WebDriverWait(browser, 10).until(
                lambda browser: browser.execute_script(
                    "return Array.from(document.images).every(picture => picture.complete)"
                )
            )
            yield from faults_of_page(browser, page)
        places[page] = set(browser.execute_script(PLACES))
        inside = (link for link in browser.execute_script(LINKS) if link.startswith(root))
        links.update((page, link.removeprefix(root)) for link in inside)
    browser.set_window_size(WIDTHS["screen"], 900)
    yield from faults_of_links(links, places)
    yield from faults_of_search(browser, root)
    yield from faults_of_keyboard(browser, root)
    print(f"{len(pages)} pages, {len(links)} links, {len(SEARCHES)} searches checked.")


def main():
    """Build and check; the exit status is 1 if anything is wrong."""
    if "--no-build" not in sys.argv[1:]:
        build()
    handler = functools.partial(QuietHandler, directory=HTML)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = chromium()
        try:
            found = list(faults(browser, f"http://127.0.0.1:{server.server_port}/"))
        finally:
            browser.quit()
            server.shutdown()
    print(*found, sep="\n")
    return len(found) > 0


if __name__ == "__main__":
    sys.exit(main())
