"use strict";
// Draws each figure when it comes into view, shows what a term means, and unfolds what a paper reader needs.
(() => {
  const data = document.getElementById("plots-data");
  const plots = data ? JSON.parse(data.textContent) : [];
  const drawn = new Map(); // by figure: how many columns its panels stand in
  const hidden = new Map(); // by figure: the lines that a reader has switched off
  const bands = new Map(); // by figure: whose band is shown
  const DASHES = ["solid", "dot", "longdash", "dashdot"];
  const SYMBOLS = ["circle", "square", "diamond", "triangle-up"];
  const HUES = ["plot1", "plot2", "plot4", "plot5", "plot3"];
  const PRINTED = {
    ink: "#000000", quiet: "#444444", grid: "#dddddd", plot1: "#9b2226", plot2: "#1f5673", plot3: "#5d6672", plot4: "#85560b",
    plot5: "#1d6b52",
  };
  // What a logarithmic axis of shares may be labelled with.
  const TICKS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];
  const FEW_TICKS = [0.001, 0.01, 0.1, 1];
  const percent = (share) => `${+(100 * share).toPrecision(3)}%`;

  // The library is parsed when the first figure needs it, so that tables and text are there at once.
  function library() {
    if (window.Plotly) return;
    const script = document.createElement("script");
    script.textContent = document.getElementById("plotly").textContent;
    document.head.append(script);
  }

  // Plotly reads a little HTML in labels; what comes from data is text.
  const text = (raw) => raw.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/%\{/g, "% {");
  const labelsOf = (plot) => [...new Set(plot.lines.map((line) => line.label))];
  const panelsOf = (plot) => [...new Set(plot.lines.map((line) => line.panel))];
  const looks = (i) => ({ hue: HUES[i % HUES.length], dash: DASHES[Math.floor(i / HUES.length) % DASHES.length], symbol: SYMBOLS[Math.floor(i / HUES.length) % SYMBOLS.length] });

  function colorsOf(printing) {
    const css = getComputedStyle(document.documentElement);
    return printing ? PRINTED : Object.fromEntries(Object.keys(PRINTED).map((name) => [name, css.getPropertyValue(`--${name}`).trim()]));
  }

  function axis(title, colors) {
    return {
      title: { text: text(title), standoff: 8 }, gridcolor: colors.grid, linecolor: colors.quiet, zeroline: false, automargin: true,
      showline: true, tickcolor: colors.quiet, rangemode: "tozero",
    };
  }

  function logarithmic(base, low, high, among = TICKS) {
    const ticks = among.filter((tick) => tick >= low && tick <= high);
    return { ...base, type: "log", range: [Math.log10(low), Math.log10(high)], tickvals: ticks, ticktext: ticks.map(percent) };
  }

  const shaded = (color) => color + "2e";

  function ends(plot) {
    const values = plot.lines.flatMap((line) => line.x);
    return [Math.min(...values), Math.max(...values)];
  }

  // Each kind of figure: its traces and its layout.
  const KINDS = {
    histogram(plot, colors) {
      const hues = ["plot1", "plot2", "plot3"];
      return {
        traces: plot.lines.map((line, i) => ({
          name: text(line.label), x: line.x, y: [...line.y, line.y[line.y.length - 1]], mode: "lines", hoverinfo: "x+y+name",
          line: { color: colors[hues[i % 3]], width: 2, shape: "hv", dash: i > 1 ? "dot" : "solid" },
          fill: i < 2 ? "tozeroy" : "none", fillcolor: colors[hues[i % 3]] + "22",
        })),
        layout: { xaxis: axis(plot.x_label, colors), yaxis: { ...axis(plot.y_label, colors), tickformat: ".0%" } },
      };
    },
    curve(plot, colors) {
      const [x, y] = [axis(plot.x_label, colors), axis(plot.y_label, colors)];
      if (/^share/.test(plot.x_label)) x.tickformat = ".0%";
      if (/^share/.test(plot.y_label)) y.tickformat = ".0%";
      return {
        traces: plot.lines.map((line, i) => ({
          name: text(line.label), x: line.x, y: line.y, mode: "lines", hoverinfo: "x+y+name",
          line: { color: colors[HUES[i % HUES.length]], width: 2, dash: / bound$/.test(line.label) ? "dot" : DASHES[i % DASHES.length] },
        })),
        layout: { xaxis: x, yaxis: y },
      };
    },
    bars(plot, colors) {
      const y = { ...axis("", colors), type: "category", autorange: "reversed" };
      const x = { ...axis(plot.y_label, colors), rangemode: "normal", tickformat: plot.shares ? ".0%" : undefined };
      return {
        traces: [{
          x: plot.lines.map((line) => line.x[0]), y: plot.lines.map((line) => text(line.label)), mode: "markers", hoverinfo: "x+y",
          marker: { color: colors.plot2, size: 10, symbol: "square" },
          error_x: {
            type: "data", symmetric: false, color: colors.plot2, thickness: 3, width: 6,
            array: plot.lines.map((line) => line.high[0] - line.x[0]), arrayminus: plot.lines.map((line) => line.x[0] - line.low[0]),
          },
        }],
        layout: {
          xaxis: x, yaxis: y, showlegend: false,
          shapes: plot.null === null ? [] : [{
            type: "line", xref: "x", yref: "paper", x0: plot.null, x1: plot.null, y0: 0, y1: 1, line: { color: colors.ink, dash: "dash", width: 1.5 },
          }],
        },
      };
    },
    roc(plot, colors) {
      const floor = Math.min(...plot.lines.flatMap((line) => [...line.x, ...line.y]));
      const off = hidden.get(plot.key);
      const traces = [];
      plot.lines.forEach((line, i) => {
        const { hue, dash } = looks(i);
        if (off.has(line.label)) return;
        if (line.low.length && [line.label, "all"].includes(bands.get(plot.key))) {
          const edge = { x: line.x, mode: "lines", line: { width: 0, shape: "hv" }, hoverinfo: "skip" };
          traces.push({ ...edge, y: line.low }, { ...edge, y: line.high, line: { width: 0, shape: "vh" }, fill: "tonexty", fillcolor: shaded(colors[hue]) });
        }
        traces.push({
          name: text(line.label), x: line.x, y: line.y, mode: "lines", hoverinfo: "x+y+name",
          line: { color: colors[hue], width: 2, shape: "hv", dash },
        });
      });
      traces.push({ name: "chance", x: [floor, 1], y: [floor, 1], mode: "lines", hoverinfo: "skip", line: { color: colors.ink, width: 1.5, dash: "dash" } });
      return {
        traces,
        layout: { xaxis: logarithmic(axis(plot.x_label, colors), floor, 1.05), yaxis: logarithmic(axis(plot.y_label, colors), floor, 1.05), showlegend: false },
      };
    },
    power(plot, colors, width) {
      const panels = panelsOf(plot);
      const columns = columnsOf(plot, width);
      const rows = Math.ceil(panels.length / columns);
      const [low, high] = ends(plot);
      const layout = { showlegend: false, annotations: [], shapes: [] };
      const [gapX, gapY] = [0.06 * (columns > 1), (rows > 1) * 66 / heightOf(plot, width)];
      const [w, h] = [(1 - gapX * (columns - 1)) / columns, (1 - gapY * (rows - 1)) / rows];
      panels.forEach((panel, i) => {
        const [column, row] = [i % columns, Math.floor(i / columns)];
        const [left, top] = [column * (w + gapX), 1 - row * (h + gapY)];
        const id = i ? i + 1 : "";
        layout[`xaxis${id}`] = { ...logarithmic(axis("", colors), low / 1.15, high * 1.15, FEW_TICKS), domain: [left, left + w], anchor: `y${id}` };
        layout[`yaxis${id}`] = { ...axis(column ? "" : "noticed", colors), domain: [Math.max(0, top - h), top], anchor: `x${id}`, range: [0, 1.05], tickformat: ".0%", dtick: 0.5, showticklabels: !column };
        layout.annotations.push({ text: text(panel), x: left, y: top, xref: "paper", yref: "paper", xanchor: "left", yanchor: "bottom", showarrow: false, font: { size: 13, color: colors.ink } });
        layout.shapes.push({ type: "line", xref: `x${id}`, yref: `y${id}`, x0: low / 1.15, x1: high * 1.15, y0: 0.8, y1: 0.8, line: { color: colors.ink, dash: "dash", width: 1 } });
      });
      layout.annotations.push({
        text: text(plot.x_label), x: 0.5, y: 0, yshift: -26, xref: "paper", yref: "paper", xanchor: "center", yanchor: "top", showarrow: false,
        font: { color: colors.ink },
      });
      const labels = labelsOf(plot);
      const traces = plot.lines.filter((line) => !hidden.get(plot.key).has(line.label)).map((line) => {
        const { hue, dash, symbol } = looks(labels.indexOf(line.label));
        const i = panels.indexOf(line.panel);
        const id = i ? i + 1 : "";
        return {
          name: text(line.label), x: line.x, y: line.y, xaxis: `x${id}`, yaxis: `y${id}`, mode: "lines+markers", hoverinfo: "x+y+name",
          line: { color: colors[hue], width: 2, dash }, marker: { color: colors[hue], size: 5, symbol },
        };
      });
      return { traces, layout };
    },
  };

  const columnsOf = (plot, width) => plot.kind !== "power" ? 1 : Math.min(panelsOf(plot).length, width > 900 ? 4 : width > 560 ? 3 : 1);

  function heightOf(plot, width) {
    if (plot.kind === "roc") return 380;
    if (plot.kind === "bars") return 80 + 26 * plot.lines.length;
    if (plot.kind === "power") return 40 + 200 * Math.ceil(panelsOf(plot).length / columnsOf(plot, width));
    return 260;
  }

  // Check boxes that switch lines, and a list of whose band is shown: they work with keyboard and screen reader.
  function controls(plot, figure) {
    if (!["roc", "power"].includes(plot.kind) || figure.querySelector(".legend")) return;
    const legend = document.createElement("fieldset");
    legend.className = "legend";
    legend.innerHTML = "<legend>Show</legend>";
    hidden.set(plot.key, new Set());
    labelsOf(plot).forEach((label, i) => {
      const { hue, dash } = looks(i);
      const box = document.createElement("input");
      Object.assign(box, { type: "checkbox", checked: true, id: `${plot.key}-line-${i}` });
      box.addEventListener("change", () => {
        hidden.get(plot.key)[box.checked ? "delete" : "add"](label);
        draw(plot, false);
      });
      const name = document.createElement("label");
      name.htmlFor = box.id;
      const dashes = { solid: "none", dot: "2 3", longdash: "9 4", dashdot: "7 3 2 3" }[dash];
      name.innerHTML = `<svg class="swatch" viewBox="0 0 26 6" aria-hidden="true"><path d="M0 3h26" stroke="var(--${hue})" stroke-dasharray="${dashes}"/></svg>`;
      name.append(label);
      const item = document.createElement("span");
      item.append(box, name);
      legend.append(item);
    });
    if (plot.kind === "roc") {
      const banded = plot.lines.filter((line) => line.low.length);
      // At first the band of the curve that rises highest above the diagonal where few are accused.
      const early = (line) => Math.max(...line.x.map((x, i) => x <= 0.1 ? line.y[i] : 0));
      bands.set(plot.key, banded.length ? banded.reduce((a, b) => early(b) > early(a) ? b : a).label : "none");
      if (banded.length) {
        const choice = document.createElement("select");
        choice.id = `${plot.key}-band`;
        const options = [...banded.map((line) => [line.label, line.label]), ["all", "all"], ["none", "none"]];
        for (const [value, words] of options) choice.add(new Option(words, value, false, value === bands.get(plot.key)));
        choice.addEventListener("change", () => { bands.set(plot.key, choice.value); draw(plot, false); });
        const name = document.createElement("label");
        name.htmlFor = choice.id;
        name.append("Band of ");
        const item = document.createElement("span");
        item.append(name, choice);
        legend.append(item);
      }
    }
    figure.querySelector(".canvas").before(legend);
  }

  function draw(plot, printing) {
    library();
    const figure = document.getElementById(plot.key);
    const canvas = figure.querySelector(".canvas");
    controls(plot, figure);
    const colors = colorsOf(printing);
    const width = printing ? 620 : canvas.clientWidth;
    const height = heightOf(plot, width);
    canvas.style.height = `${height}px`;
    const { traces, layout } = KINDS[plot.kind](plot, colors, width);
    const common = {
      height, width: printing ? width : undefined, autosize: !printing, margin: { l: 56, r: 12, t: plot.kind === "power" ? 24 : 8, b: 48 },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest", dragmode: false,
      font: { family: "system-ui, sans-serif", size: 12, color: colors.ink },
      legend: { orientation: "h", y: -0.3, yanchor: "top", x: 0, font: { size: 11 } },
    };
    const config = { responsive: !printing, displaylogo: false, displayModeBar: false, scrollZoom: false };
    if (drawn.has(plot.key)) Plotly.purge(canvas);
    drawn.set(plot.key, columnsOf(plot, width));
    Plotly.newPlot(canvas, traces.map((trace) => ({ type: "scatter", ...trace })), { ...common, ...layout }, config);
  }

  const byKey = new Map(plots.map((plot) => [plot.key, plot]));
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting && !drawn.has(entry.target.id)) draw(byKey.get(entry.target.id), false);
    }
  }, { rootMargin: "300px" });
  for (const plot of plots) watcher.observe(document.getElementById(plot.key));

  const shown = (plot) => document.getElementById(plot.key).querySelector(".canvas").offsetParent !== null;
  const redraw = () => plots.filter((plot) => drawn.has(plot.key) && shown(plot)).forEach((plot) => draw(plot, false));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("resize", () => {
    for (const plot of plots) {
      const canvas = document.getElementById(plot.key).querySelector(".canvas");
      if (drawn.has(plot.key) && shown(plot) && drawn.get(plot.key) !== columnsOf(plot, canvas.clientWidth)) draw(plot, false);
    }
  });

  let unfolded = [];
  addEventListener("beforeprint", () => {
    unfolded = [...document.querySelectorAll("details.paper:not([open])")];
    for (const fold of unfolded) fold.open = true;
    plots.filter(shown).forEach((plot) => draw(plot, true));
  });
  addEventListener("afterprint", () => {
    plots.filter(shown).forEach((plot) => draw(plot, false));
    for (const fold of unfolded) fold.open = false;
  });

  // A link into a fold unfolds it, also where the browser does not do so by itself.
  function reveal() {
    let target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const place = target;
    for (; target; target = target.parentElement) if (target.tagName === "DETAILS") target.open = true;
    if (place) place.scrollIntoView();
  }
  addEventListener("hashchange", reveal);
  if (location.hash) reveal();

  // What a term means: when it is pointed at or focused; it stays while the pointer is on it, Escape sends it away.
  const tip = document.createElement("div");
  Object.assign(tip, { id: "tip", className: "tip", hidden: true });
  tip.setAttribute("role", "tooltip");
  document.body.append(tip);
  let term = null;
  let leaving = 0;

  function show(link) {
    clearTimeout(leaving);
    if (term === link) return;
    const entry = document.getElementById(link.getAttribute("href").slice(1));
    if (!entry) return;
    hide();
    term = link;
    tip.textContent = entry.querySelector("dd").textContent;
    tip.hidden = false;
    link.setAttribute("aria-describedby", "tip");
    const [at, width] = [link.getBoundingClientRect(), document.documentElement.clientWidth];
    const left = Math.max(8, Math.min(at.left, width - tip.offsetWidth - 8));
    const below = at.bottom + tip.offsetHeight + 6 < innerHeight || at.top < tip.offsetHeight + 6;
    tip.style.left = `${left + scrollX}px`;
    tip.style.top = `${scrollY + (below ? at.bottom + 2 : at.top - tip.offsetHeight - 2)}px`;
  }

  function hide() {
    clearTimeout(leaving);
    if (term) term.removeAttribute("aria-describedby");
    term = null;
    tip.hidden = true;
  }

  const soon = () => { clearTimeout(leaving); leaving = setTimeout(hide, 250); };
  for (const link of document.querySelectorAll("a.term")) {
    link.addEventListener("mouseenter", () => show(link));
    link.addEventListener("mouseleave", soon);
    link.addEventListener("focus", () => show(link));
    link.addEventListener("blur", hide);
  }
  tip.addEventListener("mouseenter", () => clearTimeout(leaving));
  tip.addEventListener("mouseleave", soon);
  addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
})();
