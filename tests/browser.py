"""Chromium without a window, driven over its debugging pipe: no driver and no library beside the browser itself."""

import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
PATIENCE = 60.0  # seconds
# Without a window there is no mouse, either; pages are shown as to somebody who has one.
MOUSE = "--blink-settings=primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4"
KEY_CODES = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowUp": 38, "ArrowDown": 40, "ArrowLeft": 37, "Backspace": 8}


class Browser:
    """One page in a headless browser; `problems` collects whatever its console complains of."""

    def __init__(self, folder: Path) -> None:
        assert CHROMIUM
        commands, self._write = os.pipe()
        self._read, answers = os.pipe()
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-quic",
            MOUSE,
            "--remote-debugging-pipe",
            f"--user-data-dir={folder}",
        ]
        # The browser listens on descriptor 3 and answers on 4.
        opened = f'exec "$@" 3<&{commands} 4>&{answers} 2>/dev/null'
        self._process = subprocess.Popen(
            ["bash", "-c", opened, "bash", CHROMIUM, *options, "--window-size=1250,1700", "about:blank"],
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self._seen: list[str] = []
        self.problems: list[str] = []
        pages = [t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        target = pages[0]["targetId"] if pages else self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._enable()

    def __enter__(self) -> "Browser":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._write)
        os.close(self._read)
        self._process.terminate()
        self._process.wait(timeout=20)

    def _enable(self) -> None:
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """The result of one command; what happens meanwhile is looked through for problems."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            assert select.select([self._read], [], [], PATIENCE)[0], "the browser does not answer"
            data = os.read(self._read, 2**16)
            assert data, "the browser has gone"
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        method = found.get("method", "")
        if method in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
            self.problems.append(json.dumps(found["params"]))
        if method == "Network.requestWillBeSent":
            url = found["params"]["request"]["url"]
            if not url.startswith(("file:", "data:", "blob:")):  # anything else leaves the page
                self.problems.append(url)
        self._seen.append(method)
        return found

    def open(self, page: Path) -> None:
        """Load a page from disk, all of it."""
        self._seen.clear()
        self.call("Page.navigate", url=page.as_uri())
        while "Page.loadEventFired" not in self._seen:
            self._next()

    def enter_frame(self) -> None:
        """From now on ask what stands in the page's frame."""
        deadline = time.monotonic() + PATIENCE
        while not (frames := [t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "iframe"]):
            assert time.monotonic() < deadline, "the page has no frame"
        self._session = self.call("Target.attachToTarget", targetId=frames[0]["targetId"], flatten=True)["sessionId"]
        self._enable()
        self.wait_for("document.readyState === 'complete'")

    def ask(self, expression: str) -> Any:
        """The value of an expression in the page; of a promise, what it comes to."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait_for(self, expression: str) -> Any:
        """The value of an expression in the page, as soon as it is true."""
        deadline = time.monotonic() + PATIENCE
        while not (value := self.ask(expression)):
            assert time.monotonic() < deadline, f"never true: {expression}"
            time.sleep(0.02)
        return value

    def type(self, text: str) -> None:
        """Type a text into what has the focus, character by character."""
        for character in text:
            self.call("Input.insertText", text=character)

    def key(self, key: str, *, shift: bool = False, control: bool = False, alt: bool = False) -> None:
        """Press a key by its name: Tab, Enter, ArrowDown, z."""
        modifiers = alt | control << 1 | shift << 3
        code = KEY_CODES.get(key) or ord(key.upper())
        text = {} if control or alt or len(key) > 1 else {"text": key}
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, modifiers=modifiers, windowsVirtualKeyCode=code, **text
            )

    def mouse(self, kind: str, x: float, y: float) -> None:
        """Move to a place in the window, or `click` there."""
        kinds = ["mouseMoved", "mousePressed", "mouseReleased"] if kind == "click" else ["mouseMoved"]
        for each in kinds:
            self.call("Input.dispatchMouseEvent", type=each, x=x, y=y, button="left", clickCount=1)

    def middle(self, expression: str) -> tuple[float, float]:
        """Where an element's middle is, scrolled to."""
        box = self.ask(
            f"(() => {{ const e = {expression}; e.scrollIntoView({{block: 'center'}});"
            " const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        return box[0], box[1]
