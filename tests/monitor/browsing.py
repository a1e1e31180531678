"""What a visitor does and notices."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Page, Request, ViewportSize

AXE = Axe().axe_script
# Most of what the rules cost is the contrast of texts, one by one. Texts are of a kind where their
# own colours and letters, and all that is behind them, are alike: three of each are looked at.
KINDS = """() => {
  const behind = new Map([[null, ""]]), kinds = new Map();
  const ground = element => {
    if (!behind.has(element)) {
      const s = getComputedStyle(element);
      const own = [s.backgroundColor, s.backgroundImage, s.opacity, s.position, s.filter];
      behind.set(element, ground(element.parentElement) + "/" + own.join());
    }
    return behind.get(element);
  };
  for (const element of document.body.querySelectorAll("*")) {
    const said = [...element.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!(said || element.matches("input, select, textarea"))) continue;
    if (!element.checkVisibility({visibilityProperty: true})) continue;
    const s = getComputedStyle(element);
    const letters = [s.color, s.fontSize, s.fontWeight, s.textShadow, s.clipPath, s.clip];
    const kind = ground(element) + "|" + letters.join();
    kinds.set(kind, [...(kinds.get(kind) || []), element]);
  }
  return [...kinds.values()].flatMap(
    alike => [...new Set([alike[0], alike[alike.length >> 1], alike[alike.length - 1]])]);
}"""
# Only what breaks a rule comes back: its name, how grave that is, and the first places.
BROKEN = f"""async options => {{
  const contrast = {{resultTypes: ["violations"], runOnly: ["color-contrast"]}};
  const found = [await axe.run(options), await axe.run({{include: ({KINDS})()}}, contrast)];
  return found.flatMap(one => one.violations).map(
    one => [one.id, one.impact, one.nodes.slice(0, 3).map(node => node.html.slice(0, 150))]);
}}"""
ALL: dict[str, Any] = {
    "resultTypes": ["violations"],
    "rules": {"color-contrast": {"enabled": False}},
}
OF_COLOURS: dict[str, Any] = {"resultTypes": ["violations"], "runOnly": ["link-in-text-block"]}
SERIOUS = ("serious", "critical")
Scheme = Literal["light", "dark"]
USUAL: ViewportSize = {"width": 1366, "height": 900}  # a laptop's
SMALL: ViewportSize = {"width": 1024, "height": 768}


@dataclass
class Visit:
    """A page in a browser; `complaints` are errors of the console, and requests to other hosts."""

    page: Page
    scheme: Scheme
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _request(self, request: Request) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "data:")):
            self.complaints.append(f"asked {request.url}")

    def see(self, address: str) -> None:
        """Open a page; it must neither complain nor need a wider screen."""
        self.page.goto(address)
        assert self.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    def violations(self) -> list[str]:
        """Serious rules of accessibility that the page breaks, with the places.

        All rules in the visitor's colour scheme; those about colours in the other one as well.
        """
        other: Scheme = "light" if self.scheme == "dark" else "dark"
        self.page.evaluate(AXE)
        found = _broken(self.page, ALL)
        self.page.emulate_media(color_scheme=other)
        in_the_other = _broken(self.page, OF_COLOURS)
        self.page.emulate_media(color_scheme=self.scheme)
        return found + [f"{other}: {words}" for words in in_the_other]


def _broken(page: Page, options: dict[str, Any]) -> list[str]:
    found = page.evaluate(BROKEN, options)
    return [f"{rule}: {places}" for rule, impact, places in found if impact in SERIOUS]
