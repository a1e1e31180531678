// Times are written in UTC. Who wants has them in the zone of the machine, on all pages: every
// <time datetime> keeps its form, and what is marked with data-zone names the zone.
(() => {
  "use strict";
  const PARTS = /^(\d{4}-)?(\d\d-\d\d)?( ?)(\d\d:\d\d)(:\d\d)?$/;
  const two = (n) => String(n).padStart(2, "0");

  const chosen = () => {
    try {
      return localStorage.getItem("times") === "local" ? "local" : "UTC";
    } catch {
      return "UTC"; // storage may be forbidden
    }
  };

  const here = () => {
    const parts = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" }).formatToParts();
    return parts.find((part) => part.type === "timeZoneName").value;
  };

  // The moment in this zone, with the same parts that its text in UTC has.
  const local = (date, text) => {
    const found = PARTS.exec(text);
    if (!found || Number.isNaN(date.getTime())) return text;
    const [, year, day, blank, , seconds] = found;
    return [
      year ? `${date.getFullYear()}-` : "",
      day ? `${two(date.getMonth() + 1)}-${two(date.getDate())}` : "",
      blank,
      `${two(date.getHours())}:${two(date.getMinutes())}`,
      seconds ? `:${two(date.getSeconds())}` : "",
    ].join("");
  };

  const write = () => {
    const wanted = chosen();
    const zone = wanted === "local" ? here() : "UTC";
    document.documentElement.dataset.times = wanted; // plots follow
    for (const time of document.querySelectorAll("time[datetime]:not([data-age])")) {
      if (wanted === "UTC" && !time.dataset.utc) continue;
      if (!time.dataset.utc) time.dataset.utc = time.textContent.trim();
      const moment = new Date(time.dateTime);
      time.textContent =
        wanted === "local" ? local(moment, time.dataset.utc) : time.dataset.utc;
    }
    for (const place of document.querySelectorAll("[data-zone]")) place.textContent = zone;
  };

  const button = document.getElementById("times");
  const label = () => {
    button.textContent = chosen() === "local" ? "UTC" : "Local"; // what a click brings
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    try {
      localStorage.setItem("times", chosen() === "local" ? "UTC" : "local");
    } catch {
      return;
    }
    label();
    write();
  });
  label();
  write();
  document.addEventListener("htmx:afterSwap", write);
  document.addEventListener("times", write); // somebody has written times in UTC
})();
