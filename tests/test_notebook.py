"""`backprop_cli.notebook`: the pages in real kernels; the servers go with them."""

from __future__ import annotations

import functools
import http.server
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backprop_cli.errors import RunError, UsageError
from backprop_cli.notebook import Page, play, watch
from tests.board.test_board_in_browser import chromium  # noqa: F401  # the fixture
from tests.conftest import ROOT

XOR = ROOT / "configs/xor.yaml"


def get(address: str, **headers: str) -> tuple[int, Any, str]:
    """Status, headers and text."""
    request = urllib.request.Request(
        address, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.headers, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def gone(process: int, seconds: float = 20) -> bool:
    """Whether a process ends in that time."""
    end = time.monotonic() + seconds
    while Path(f"/proc/{process}").exists() and "Z" not in Path(f"/proc/{process}/stat").read_text().split()[2]:
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    page = watch(tmp_path_factory.mktemp("runs"))
    yield page
    page.stop()


def test_only_who_knows_the_path_may_read(page: Page) -> None:
    """The path is the token; a notebook of another site may frame the page, and reads nothing through it."""
    root = page.address.rsplit("/", 2)[0]
    status, headers, text = get(page.address, Sec_Fetch_Site="cross-site", Sec_Fetch_Dest="iframe")
    assert status == 200 and "bp board" in text
    assert "frame-ancestors" not in headers["content-security-policy"] and "set-cookie" not in headers
    assert get(f"{page.address}api/runs")[0] == get(f"{page.address}page/main.js")[0] == 200
    for other in ("/", "/api/runs", "/wrong/", "/wrong/api/runs", page.address.removeprefix(root).rstrip("/"), "//"):
        assert get(f"{root}{other}")[0] == 403, other
    assert get(f"{page.address}api/runs", Origin="http://evil.example")[0] == 403


def test_through_a_proxy_the_address_is_the_proxys(page: Page) -> None:
    port, token = page.address.split(":")[2].split("/")[:2]
    page._base = "/user/me/proxy/{port}/"
    try:
        assert f'src="/user/me/proxy/{port}/{token}/"' in page._repr_html_()
    finally:
        page._base = ""


def test_a_frame_and_its_address(page: Page) -> None:
    frame = page._repr_html_()
    assert f'<iframe src="{page.address}"' in frame and 'title="bp board"' in frame
    assert repr(page) == f"bp board: {page.address}"
    folder = page.command[1]
    assert watch(folder, height=300) is page and 'height="300"' in page._repr_html_()
    page.stop()
    assert repr(page) == "bp board: ended" and "<iframe" not in page._repr_html_()


@pytest.mark.long
def test_playing_again_starts_anew(tmp_path: Path) -> None:
    first = play(XOR, overrides=["seed=3"])
    second = play(XOR, overrides=["seed=3"])
    try:
        assert (first.is_running, second.is_running) == (False, True)
        assert "bp play" in get(second.address)[2]
    finally:
        second.stop()


@pytest.mark.long
def test_a_mistake_is_the_commands_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere is not a folder"):
        watch(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="expected a CONFIG or RUN"):
        play()
    taken = watch(tmp_path)
    try:
        with pytest.raises(RunError, match="cannot listen on"):
            play(XOR, port=int(taken.address.split(":")[2].split("/")[0]))
    finally:
        taken.stop()


def test_a_server_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    """However that ends: the kernel is killed here."""
    started = f"from backprop_cli.notebook import play; print(play({str(XOR)!r})._process.pid, flush=True)"
    code = f"{started}; import time; time.sleep(99)"
    kernel = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert kernel.stdout is not None
    server = int(kernel.stdout.readline())
    engines = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    assert engines
    kernel.send_signal(signal.SIGKILL)
    kernel.wait()
    assert gone(server) and all(gone(int(engine)) for engine in engines)


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for processes in /proc")
def test_a_server_that_is_told_again_and_again_ends_once(tmp_path: Path) -> None:
    """As a Jupyter kernel tells its children, and here with an engine that does not answer."""
    page = play(XOR)
    server = page._process.pid
    assert get(page.address)[0] == 200
    engines = [int(text) for text in Path(f"/proc/{server}/task/{server}/children").read_text().split()]
    for engine in engines:
        os.kill(engine, signal.SIGSTOP)
    end = time.monotonic() + 10
    while page.is_running and time.monotonic() < end:
        os.kill(server, signal.SIGTERM)
        time.sleep(0.001)
    assert not page.is_running, "the server has ended"
    assert engines and all(gone(engine) for engine in engines)


@pytest.mark.browser
def test_a_page_of_another_site_shows_the_frame(page: Page, chromium: Any, tmp_path: Path) -> None:  # noqa: F811
    """As a notebook server does: its page is of localhost, the frame of 127.0.0.1. Without the token it is refused."""
    page = watch(page.command[1])
    (tmp_path / "index.html").write_text(f"<!doctype html><title>book</title>{page._repr_html_()}")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as book:
        threading.Thread(target=book.serve_forever, daemon=True).start()
        browser = chromium.new_page()
        browser.goto(f"http://localhost:{book.server_port}/index.html")
        frame = browser.frame_locator("iframe")
        frame.locator("text=no runs in").wait_for()
        frame.locator("#state >> text=live").wait_for()
        root = page.address.rsplit("/", 2)[0]
        # not index.html again: a browser keeps a page that has changed within the same second
        (tmp_path / "other.html").write_text(f'<!doctype html><iframe src="{root}/"></iframe>')
        browser.goto(f"http://localhost:{book.server_port}/other.html")
        browser.wait_for_timeout(1000)
        assert browser.frame_locator("iframe").locator("#state").count() == 0
        browser.close()
        book.shutdown()
    page.stop()


@pytest.mark.notebook
def test_in_jupyter(tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    cells = [
        "import os; from backprop_cli.notebook import play, watch",
        "os.makedirs('runs'); watch('runs')",
        f"game = play({str(XOR)!r}); game",
        "import urllib.request; print(urllib.request.urlopen(game.address).status, game._process.pid)",
        "play('nowhere.yaml')",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "python3", "language": "python"}
    client = NotebookClient(notebook, timeout=120, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}})
    client.execute(env=os.environ | {"PYTHONPATH": str(ROOT)})
    outputs = [cell.outputs for cell in notebook.cells]
    for number, name in ((1, "board"), (2, "play")):
        data = outputs[number][0].data
        assert (
            data["text/html"].startswith('<iframe src="http://127.0.0.1:') and f'title="bp {name}"' in data["text/html"]
        )
        assert data["text/plain"].startswith(f"bp {name}: http://127.0.0.1:")
    status, process = outputs[3][0].text.split()
    assert status == "200" and gone(int(process)), "the kernel has ended, and its server with it"
    assert outputs[4][0].ename == "UsageError" and "nowhere" in outputs[4][0].evalue
