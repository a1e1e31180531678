// Small comforts. Without this file every page still shows and filters everything.
(() => {
  "use strict";

  // Ages: <time datetime="..." data-age> counts on.
  const SIZES = [[86400, "d"], [3600, "h"], [60, "min"]];
  const words = (seconds) => {
    for (const [size, unit] of SIZES) {
      if (seconds >= 2 * size) return `${Math.floor(seconds / size)} ${unit}`;
    }
    return `${Math.max(0, Math.floor(seconds))} s`;
  };
  const clock = document.getElementById("clock");
  // The server's clock counts, not this machine's.
  const skew = clock ? Date.parse(clock.dateTime) - Date.now() : 0;
  const tick = () => {
    const now = Date.now() + (skew || 0);
    for (const time of document.querySelectorAll("time[data-age]")) {
      time.textContent = words((now - Date.parse(time.dateTime)) / 1000);
    }
    if (!clock) return;
    const moment = new Date(now).toISOString();
    if (clock.dateTime.slice(0, 16) === moment.slice(0, 16)) return;
    clock.dateTime = moment;
    clock.dataset.utc = clock.textContent = moment.slice(11, 16);
    document.dispatchEvent(new Event("times"));
  };
  tick();
  setInterval(tick, 1000);

  // Polling: not while nobody looks, not while paused; the same answer changes nothing.
  let paused = false;
  let etag = "";
  const label = () => {
    for (const button of document.querySelectorAll("[data-pause]")) {
      button.hidden = false;
      button.textContent = paused ? "Go on" : "Pause";
    }
  };
  label();
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-pause]")) return;
    paused = !paused;
    label();
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (paused || document.hidden) event.preventDefault();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const seen = event.detail.xhr.getResponseHeader("ETag");
    const same = Boolean(seen) && seen === etag;
    etag = seen || "";
    if (same) {
      event.detail.shouldSwap = false;
      confirmAgain(event.detail.xhr.getResponseHeader("Date"));
    } else {
      remember();
    }
  });
  // Nothing has changed: the numbers on the page are those of this moment.
  const confirmAgain = (date) => {
    const [shown, age] = document.querySelectorAll("#board .fresh time");
    const moment = new Date(date || NaN);
    if (!age || Number.isNaN(moment.getTime())) return;
    age.dateTime = moment.toISOString();
    shown.dateTime = moment.toISOString();
    shown.dataset.utc = shown.textContent = shown.dateTime.slice(0, 19).replace("T", " ");
    document.dispatchEvent(new Event("times"));
  };

  // Who has walked to a link or opened a box finds it again in the new numbers.
  let focused = "";
  let open = [];
  const remember = () => {
    const here = document.activeElement;
    focused = here && here.closest("#board") ? here.getAttribute("href") || "" : "";
    open = [...document.querySelectorAll("#board details")].map((box) => box.open);
  };
  document.addEventListener("htmx:afterSwap", () => {
    label();
    tick();
    document.querySelectorAll("#board details").forEach((box, i) => {
      box.open = Boolean(open[i]);
    });
    if (!focused) return;
    const again = [...document.querySelectorAll("#board a")].find(
      (link) => link.getAttribute("href") === focused,
    );
    if (again) again.focus({ preventScroll: true });
  });

  // Filters that are not set stay out of the address.
  for (const form of document.querySelectorAll("form.filters")) {
    form.addEventListener("submit", () => {
      for (const field of form.elements) {
        if (field.name && !field.value) field.disabled = true;
      }
    });
  }
  window.addEventListener("pageshow", () => {
    for (const field of document.querySelectorAll("form.filters :disabled")) field.disabled = false;
  });

  // Boxes that are ticked go into the address as one list.
  for (const group of document.querySelectorAll("[data-join]")) {
    group.closest("form").addEventListener("submit", () => {
      const ticked = [...group.querySelectorAll("input[type=checkbox]")].filter((box) => box.checked);
      group.querySelector(`[name="${group.dataset.join}"]`).value = ticked
        .map((box) => box.value)
        .join(",");
    });
  }

  // The menu closes with Escape and with a click beside it.
  const menu = document.querySelector("details.menu");
  document.addEventListener("click", (event) => {
    if (menu && menu.open && !menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });

  // "/" goes to the box for a PandaID.
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const box = document.getElementById("goto");
    if (!box) return;
    event.preventDefault();
    box.focus();
  });
})();
