"use strict";
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.style.colorScheme || (dark.matches ? "dark" : "light")) === "dark";
  const tell = () => root.dispatchEvent(new Event("themechange"));
  document.getElementById("theme").addEventListener("click", () => {
    root.style.colorScheme = isDark() ? "light" : "dark";
    tell();
  });
  dark.addEventListener("change", tell);
})();
