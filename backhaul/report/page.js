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
    const line = getComputedStyle(document.querySelector("nav, section + section")).borderTopColor;
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

  const NARROW = 500;
  const LEGEND_ROW = 20;

  // A legend below the axes has two columns on average, and one where there is no room.
  function height(plot, { data, layout }) {
    const entries = data.filter((trace) => trace.showlegend !== false).length;
    const below = layout.legend.yref === "container" && plot.clientWidth < NARROW;
    return layout.height + (below ? LEGEND_ROW * Math.ceil(entries / 2) : 0);
  }

  function draw(plot) {
    const figure = figures[plot.dataset.figure];
    const font = { family: getComputedStyle(document.body).fontFamily, size: 12 };
    const layout = { ...figure.layout, font, height: height(plot, figure) };
    return Plotly.newPlot(plot, figure.data, layout, config).then(() => themeOne(plot));
  }

  // Whiskers on bars are dark unless told; those on points have the colour of the points.
  function themeOne(plot, more = {}) {
    const bars = plot.data.flatMap((trace, i) => (trace.type === "bar" && trace.error_y ? [i] : []));
    if (bars.length) Plotly.restyle(plot, { "error_y.color": colours().ink }, bars);
    return Plotly.relayout(plot, { ...themed(), ...more });
  }

  const restyle = (more = {}) => plots.forEach((plot) => themeOne(plot, more));

  root.addEventListener("themechange", () => restyle());

  const metric = document.getElementById("metric");
  if (metric)
    metric.addEventListener("change", () => {
      for (const plot of plots.filter((p) => p.dataset.figure.startsWith("curve-"))) {
        Plotly.restyle(plot, figures[plot.dataset.figure].layout.meta[metric.value]);
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
