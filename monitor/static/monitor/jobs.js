// Comforts of the job list and the job page. Without this file both still show everything.
(() => {
  "use strict";

  // The end of the output stays in view while new output comes, unless one has scrolled up.
  let following = true;
  const toEnd = () => {
    const tail = document.querySelector("[data-follow]");
    if (tail && following) tail.scrollTop = tail.scrollHeight;
  };
  document.addEventListener(
    "scroll",
    (event) => {
      const tail = event.target;
      if (!tail.matches || !tail.matches("[data-follow]")) return;
      following = tail.scrollHeight - tail.scrollTop - tail.clientHeight < 20;
    },
    true,
  );
  document.addEventListener("htmx:afterSwap", toEnd);
  toEnd();

  // How many jobs are ticked; the box in the head of the table ticks them all.
  const ticked = document.getElementById("ticked");
  const boxes = [...document.querySelectorAll('input[name="id"][form="act"]')];
  const all = document.getElementById("tick-all");
  if (!ticked || !boxes.length) return;
  const whole = document.querySelector('#act input[name="match"]');
  const count = () => {
    const n = boxes.filter((box) => box.checked).length;
    ticked.textContent = n ? `${n} ticked:` : "Tick jobs to act on them:";
    if (all) all.checked = n === boxes.length;
    for (const button of document.querySelectorAll("#act button")) {
      button.disabled = !n && !(whole && whole.checked);
    }
  };
  if (all) {
    all.hidden = false;
    all.addEventListener("change", () => {
      for (const box of boxes) box.checked = all.checked;
      count();
    });
  }
  document.addEventListener("change", (event) => {
    if (boxes.includes(event.target) || event.target === whole) count();
  });
  window.addEventListener("pageshow", count);
  count();
})();
