// Keys for those who look at pages all day; "?" lists them. They do nothing while somebody types.
(() => {
  "use strict";
  const dialog = document.getElementById("dialog-keys");
  const press = (id) => () => document.getElementById(id)?.click();
  const menu = () => {
    const box = document.querySelector("details.menu");
    box.open = !box.open;
    if (box.open) box.querySelector("a").focus();
  };
  const ACTS = {
    "?": () => dialog.showModal(),
    m: menu,
    p: () => document.querySelector("[data-pause]")?.click(),
    t: press("theme"),
    u: press("times"),
  };

  let going = -Infinity; // when "g" was pressed: a letter soon after it opens a page
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea, [contenteditable]");
    if (typing || dialog.open || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.timeStamp - going < 1500) {
      going = -Infinity;
      const link = dialog.querySelector(`a[data-key="${CSS.escape(event.key)}"]`);
      if (link) {
        event.preventDefault();
        link.click();
        return;
      }
    }
    if (event.key === "g") {
      going = event.timeStamp;
      return;
    }
    const act = Object.hasOwn(ACTS, event.key) && ACTS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  // A menu closes by Escape, and when the work goes on elsewhere.
  const close = (but) => {
    for (const box of document.querySelectorAll(".top details.menu[open]"))
      if (box !== but) box.open = false;
  };
  document.addEventListener("click", (event) => close(event.target.closest("details.menu")));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const box = document.querySelector(".top details.menu[open]");
    close();
    if (box?.contains(document.activeElement)) box.querySelector("summary").focus();
  });

  const button = document.getElementById("show-keys");
  button.hidden = false;
  button.addEventListener("click", () => dialog.showModal());
})();
