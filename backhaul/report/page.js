"use strict";
(() => {
  const root = document.documentElement;
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const plots = [...document.querySelectorAll(".plot")];
  const config = {
    displaylogo: false,
    responsive: true,
    showSendToCloud: false,
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
  };
  const PRINT_WIDTH = 680;

  function colours() {
    const ink = getComputedStyle(document.body).color;
    const paper = getComputedStyle(document.body).backgroundColor;
    const line = getComputedStyle(document.querySelector("nav")).borderBottomColor;
    const axis = { gridcolor: line, zerolinecolor: line, linecolor: line };
    return { ink, paper, axis };
  }

  function themed() {
    const { ink, paper, axis } = colours();
    const change = {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      "font.color": ink,
      "hoverlabel.bgcolor": paper,
      "hoverlabel.font.color": ink,
      "modebar.color": axis.linecolor,
      "modebar.activecolor": ink,
      "modebar.bgcolor": "rgba(0,0,0,0)",
    };
    for (const name of ["xaxis", "yaxis"])
      for (const [key, value] of Object.entries(axis)) change[`${name}.${key}`] = value;
    return change;
  }

  function draw(plot) {
    const { data, layout } = figures[plot.dataset.figure];
    const font = { family: getComputedStyle(document.body).fontFamily, size: 12 };
    return Plotly.newPlot(plot, data, { ...layout, font }, config).then(() => Plotly.relayout(plot, themed()));
  }

  const restyle = (more = {}) => plots.forEach((plot) => Plotly.relayout(plot, { ...themed(), ...more }));

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.style.colorScheme || (dark.matches ? "dark" : "light")) === "dark";
  document.getElementById("theme").addEventListener("click", () => {
    root.style.colorScheme = isDark() ? "light" : "dark";
    restyle();
  });
  dark.addEventListener("change", () => restyle());

  const metric = document.getElementById("metric");
  if (metric)
    metric.addEventListener("change", () => {
      for (const plot of plots.filter((p) => p.dataset.figure.startsWith("curve-"))) {
        Plotly.restyle(plot, { y: figures[plot.dataset.figure].layout.meta[metric.value] });
        Plotly.relayout(plot, { "yaxis.title.text": metric.value });
      }
    });

  let before = "";
  addEventListener("beforeprint", () => {
    before = root.style.colorScheme;
    root.style.colorScheme = "light";
    restyle({ width: PRINT_WIDTH });
  });
  addEventListener("afterprint", () => {
    root.style.colorScheme = before;
    restyle({ width: null, autosize: true });
  });

  plots.forEach(draw);
})();
