// Sets the colour scheme before anything is drawn: the one that was chosen, else the system's.
(() => {
  "use strict";
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  const chosen = () => {
    try {
      return localStorage.getItem("theme") || "auto";
    } catch {
      return "auto"; // storage may be forbidden
    }
  };

  const apply = () => {
    const theme = chosen() === "auto" ? (dark.matches ? "dark" : "light") : chosen();
    document.documentElement.dataset.bsTheme = theme;
  };

  const NEXT = { auto: "dark", dark: "light", light: "auto" };

  const offer = () => {
    const button = document.getElementById("theme");
    const label = () => {
      button.textContent = `Theme: ${chosen()}`;
    };
    button.hidden = false;
    button.addEventListener("click", () => {
      try {
        localStorage.setItem("theme", NEXT[chosen()]);
      } catch {
        return;
      }
      apply();
      label();
    });
    label();
  };

  apply();
  dark.addEventListener("change", apply);
  document.addEventListener("DOMContentLoaded", offer);
})();
