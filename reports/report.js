"use strict";
// Draws each figure when it comes into view, in the page's own colours, and all of them before printing.
(() => {
  const plots = JSON.parse(document.getElementById("plots-data").textContent);
  const drawn = new Set();
  // Plotly reads a little HTML in labels; what comes from data is text.
  const text = (raw) => raw.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/%\{/g, "% {");

  function traces(plot, colors) {
    return plot.series.map((series, i) => {
      const power = plot.kind === "power";
      const chance = power ? i === plot.series.length - 1 : plot.kind === "roc" && series.label === "chance";
      const color = chance ? colors.plot3 : [colors.plot1, colors.plot2, colors.plot3][i % 3];
      const curve = plot.kind === "curve";
      const dash = curve ? (/ bound$/.test(series.label) ? "dot" : "solid") : power ? ["solid", "dot", "longdashdot"][Math.floor(i / 3) % 3] : i > 1 ? "dot" : "solid";
      const last = series.y[series.y.length - 1];
      return {
        type: "scatter",
        mode: power && !chance ? "lines+markers" : "lines",
        name: text(series.label),
        x: series.x,
        y: plot.kind === "histogram" ? [...series.y, last] : series.y,
        line: { color, width: 2, shape: chance || power || curve ? "linear" : "hv", dash: chance ? "dash" : dash },
        marker: { color, size: 6, symbol: ["circle", "square", "diamond"][Math.floor(i / 3) % 3] },
        fill: plot.kind === "histogram" && i < 2 ? "tozeroy" : "none",
        fillcolor: color + "22",
        hoverinfo: chance ? "skip" : "x+y+name",
      };
    });
  }

  // What a logarithmic axis of shares may be labelled with.
  const ticks = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];

  function axis(title, colors, log) {
    const base = {
      title: { text: text(title), standoff: 10 }, gridcolor: colors.grid, linecolor: colors.quiet, zeroline: false,
      automargin: true, showline: true, tickcolor: colors.quiet,
    };
    if (!log) return { ...base, rangemode: "tozero" };
    return { ...base, type: "log", tickvals: [0.001, 0.01, 0.1, 0.5, 1], ticktext: ["0.1%", "1%", "10%", "50%", "100%"], range: null };
  }

  function draw(plot, printing) {
    const figure = document.getElementById(plot.key);
    const canvas = figure.querySelector(".canvas");
    const css = getComputedStyle(document.documentElement);
    const printed = { ink: "#000000", quiet: "#444444", grid: "#dddddd", plot1: "#9b2226", plot2: "#1f5673", plot3: "#7a8594" };
    const colors = printing ? printed
      : Object.fromEntries(Object.keys(printed).map((name) => [name, css.getPropertyValue(`--${name}`).trim()]));
    const log = plot.kind === "roc";
    const x = axis(plot.x_label, colors, log);
    const y = axis(plot.y_label, colors, log);
    if (log) {
      const floor = Math.log10(Math.min(...plot.series.flatMap((series) => [...series.x, ...series.y])));
      x.range = [floor, 0.02];
      y.range = [floor, 0.02];
    } else if (plot.kind !== "curve" || /^share/.test(plot.y_label)) {
      y.tickformat = ".0%";
    }
    if (plot.kind === "curve" && /^share/.test(plot.x_label)) x.tickformat = ".0%";
    if (plot.kind === "power") {
      const shares = plot.series.flatMap((series) => series.x);
      const ends = [Math.min(...shares) / 1.2, Math.max(...shares) * 1.2];
      const seen = ticks.filter((tick) => tick >= ends[0] && tick <= ends[1]);
      Object.assign(x, { type: "log", range: ends.map(Math.log10), tickvals: seen, ticktext: seen.map((tick) => `${100 * tick}%`) });
      y.range = [0, 1.03];
    }
    const columns = plot.kind === "power" ? { entrywidth: 0.5, entrywidthmode: "fraction", font: { size: 11 } } : {};
    const layout = {
      xaxis: x, yaxis: y, height: (printing ? 300 : 340) + (plot.kind === "power" ? 40 : 0), width: printing ? 620 : undefined, autosize: !printing,
      margin: { l: 60, r: 12, t: 8, b: 50 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, sans-serif", size: 12, color: colors.ink },
      legend: { orientation: "h", y: -0.28, yanchor: "top", x: 0, ...columns }, hovermode: "closest",
    };
    const config = { responsive: !printing, displaylogo: false, displayModeBar: false };
    if (drawn.has(plot.key)) Plotly.purge(canvas);
    drawn.add(plot.key);
    Plotly.newPlot(canvas, traces(plot, colors), layout, config);
  }

  const byKey = new Map(plots.map((plot) => [plot.key, plot]));
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting && !drawn.has(entry.target.id)) draw(byKey.get(entry.target.id), false);
    }
  }, { rootMargin: "400px" });
  for (const plot of plots) watcher.observe(document.getElementById(plot.key));

  const redraw = () => plots.filter((plot) => drawn.has(plot.key)).forEach((plot) => draw(plot, false));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("beforeprint", () => plots.forEach((plot) => draw(plot, true)));
  addEventListener("afterprint", () => plots.forEach((plot) => draw(plot, false)));
})();
