"use strict";
// Draws the plane of the chosen axes and the differences of the chosen estimate, and filters the table of findings.
(() => {
  const data = JSON.parse(document.getElementById("comparison-data").textContent);
  const byId = (id) => document.getElementById(id);
  const labels = data.entrants.map((entrant) => entrant.label);
  // Plotly reads a little HTML in labels; what comes from data is text.
  const text = (raw) => raw.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/%\{/g, "% {");
  const SHAPES = { pass: "circle", inconclusive: "diamond", fail: "square" };
  const MINUS = "\u2212";

  // As the tables print them (reports/wording.py and reports/comparing/words.py).
  const minus = (plain) => (plain.startsWith("-") ? (/[1-9]/.test(plain.split("e")[0]) ? MINUS : "") + plain.slice(1) : plain);
  const general = (value) => (Math.abs(value) < 1e5 && (Math.abs(value) >= 1e-4 || !value) ? String(Number(value.toPrecision(4))) : value.toExponential(3));
  function number(value, scale) {
    if (scale === "share") return `${minus((100 * value).toFixed(1).replace(/\.0$/, ""))}%`;
    if (scale === "ratio") return minus(value.toFixed(Math.abs(value) >= 2 ? 2 : 3));
    if (scale === "change") return (value > 0 && /[1-9]/.test(value.toFixed(3)) ? "+" : "") + minus(value.toFixed(3));
    if (scale === "score") return minus(value.toFixed(value && Math.abs(value) < 0.05 ? 4 : 3));
    return minus(general(value));
  }
  function signed(value, scale) {
    const share = scale === "share";
    const plain = share ? (100 * value).toFixed(1) : number(value, Math.abs(value) < 10 ? "score" : "number").replace(MINUS, "-");
    const bare = plain.replace(/^-/, "");
    return (/[1-9]/.test(bare) ? (value < 0 ? MINUS : "+") : "") + bare + (share ? " pp" : "");
  }
  const p = (value) => (value < 0.001 ? "< 0.001" : value.toFixed(value < 0.1 ? 3 : 2));

  function palette(printing) {
    const printed = { ink: "#000000", quiet: "#444444", grid: "#dddddd", card: "#ffffff", accent: "#1f5673", pass: "#1d6b52", fail: "#9b2226", open: "#75490a" };
    if (printing) return printed;
    const css = getComputedStyle(document.documentElement);
    return Object.fromEntries(Object.keys(printed).map((name) => [name, css.getPropertyValue(`--${name}`).trim()]));
  }
  const shade = (outcome, colors) => colors[outcome === "inconclusive" ? "open" : outcome];

  // ---- the plane

  const better = (axis, i, j) => (axis.places[i][0] - axis.places[j][0]) * (axis.upward ? 1 : -1);
  const surely = (axis, i, j) => axis.beats.some(([a, b]) => a === i && b === j);

  function standings(x, y) {
    const placed = labels.map((_, i) => i).filter((i) => x.places[i] && y.places[i]);
    return placed.map((i) => {
      const beaten = placed.filter((j) => {
        const gains = [better(x, j, i), better(y, j, i)];
        return j !== i && Math.min(...gains) >= 0 && Math.max(...gains) > 0;
      });
      return { i, beaten, sure: beaten.filter((j) => surely(x, j, i) && surely(y, j, i)) };
    });
  }

  function listed(some) {
    const names = some.map((i) => labels[i]);
    if (names.length > 3) return `${names.slice(0, 2).join(", ")} and ${names.length - 2} others`;
    return names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}` : names[0] || "";
  }

  function said(standing) {
    if (!standing.beaten.length) return "on the front";
    if (standing.sure.length) return `significantly worse on both than ${listed(standing.sure)}`;
    return `behind ${listed(standing.beaten)}, not significantly on both`;
  }

  function row(cells, names) {
    const line = document.createElement("tr");
    line.className = "numbers";
    cells.forEach((words, i) => {
      const cell = document.createElement(i ? "td" : "th");
      if (i) cell.dataset.label = names[i];
      else cell.scope = "row";
      if (i && i < cells.length - 1) cell.className = "num";
      cell.textContent = words;
      line.append(cell);
    });
    return line;
  }

  function bars(places, at) {
    return {
      type: "data", symmetric: false, thickness: 1.3, width: 0,
      array: places.map((place) => place[2] - place[0]), arrayminus: places.map((place) => place[0] - place[1]), ...at,
    };
  }

  function axisOf(title, axis, colors) {
    return {
      title: { text: text(title), standoff: 10, font: { size: 12 } }, gridcolor: colors.grid, linecolor: colors.quiet, zeroline: false,
      automargin: true, showline: true, tickcolor: colors.quiet, tickformat: axis.scale === "share" ? ".1~%" : undefined, nticks: 7,
    };
  }

  function plain(layout, colors, printing) {
    return {
      width: printing ? 640 : undefined, autosize: !printing, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, sans-serif", size: 12, color: colors.ink }, showlegend: false, hovermode: "closest", ...layout,
    };
  }

  function staircase(front, x, y) {
    const corners = front.map((s) => [x.places[s.i][0], y.places[s.i][0]]).sort((a, b) => (a[0] - b[0]) * (x.upward ? 1 : -1) || a[1] - b[1]);
    const line = { x: [], y: [] };
    corners.forEach(([a, b], i) => {
      if (i) { line.x.push(corners[i - 1][0]); line.y.push(b); }
      line.x.push(a);
      line.y.push(b);
    });
    return line;
  }

  function span(axis, shown) {
    const all = shown.flatMap((s) => axis.places[s.i]);
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const margin = 0.06 * (high - low) || 0.1 * Math.abs(high) || 1;
    return [low - margin, high + margin];
  }

  // Names beside their points; where two would lie on one another, one moves up.
  function named(shown, every, x, y, size, colors) {
    const [xs, ys] = [span(x, every), span(y, every)];
    const unit = (value, [low, high], length) => ((value - low) / (high - low || 1)) * length;
    const taken = [];
    return [...shown].sort((a, b) => y.places[a.i][0] - y.places[b.i][0]).map((s) => {
      const [vx, vy] = [x.places[s.i][0], y.places[s.i][0]];
      const label = labels[s.i].length > 40 ? `${labels[s.i].slice(0, 39)}…` : labels[s.i];
      const across = x.upward ? unit(vx, xs, size[0]) : size[0] - unit(vx, xs, size[0]);
      const left = across > 0.5 * size[0];
      const wide = 7 * label.length + 9;
      const box = left ? [across - wide, across] : [across, across + wide];
      const start = unit(vy, ys, size[1]) + 9;
      let up = start;
      while (taken.some(([a, b, at]) => a < box[1] && box[0] < b && Math.abs(at - up) < 15)) up += 2;
      taken.push([...box, up]);
      return {
        x: vx, y: vy, text: text(label), showarrow: false, xanchor: left ? "right" : "left", xshift: left ? -9 : 9,
        yshift: 9 + up - start, font: { size: 12, color: colors.ink },
      };
    });
  }

  const chosen = (id) => Number(byId(id).value);

  function drawPlane(printing) {
    const canvas = byId("plane-canvas");
    if (!canvas) return;
    const [x, y] = [data.x[chosen("axis-x")], data.y[chosen("axis-y")]];
    const colors = palette(printing);
    const every = standings(x, y);
    const front = every.filter((s) => !s.beaten.length);
    const traces = [{ ...staircase(front, x, y), type: "scatter", mode: "lines", line: { color: colors.accent, width: 1.5, dash: "dash" }, hoverinfo: "skip" }];
    for (const [outcome, symbol] of Object.entries(SHAPES)) {
      for (const pale of [true, false]) {
        const some = every.filter((s) => data.entrants[s.i].outcome === outcome && s.sure.length > 0 === pale);
        if (!some.length) continue;
        const color = shade(outcome, colors);
        const faint = color + (every.length > 12 ? "44" : "aa");
        const [xs, ys] = [some.map((s) => x.places[s.i]), some.map((s) => y.places[s.i])];
        traces.push({
          type: "scatter", mode: "markers", x: xs.map((v) => v[0]), y: ys.map((v) => v[0]), opacity: pale ? 0.4 : 1,
          error_x: bars(xs, { color: faint }), error_y: bars(ys, { color: faint }), marker: { color, symbol, size: 12 }, hoverinfo: "text",
          text: some.map((s) => `${text(labels[s.i])}<br>leak ${number(y.places[s.i][0], y.scale)}, utility ${number(x.places[s.i][0], x.scale)}<br>${text(said(s))}`),
        });
      }
    }
    const height = printing ? 380 : 480;
    const width = printing ? 640 : canvas.clientWidth || 640;
    const labelled = every.length <= 12 ? every : front;
    const layout = plain({
      height, margin: { l: 64, r: 16, t: 10, b: 56 },
      xaxis: { ...axisOf(`utility (${x.upward ? "higher" : "lower"} is better)`, x, colors), range: x.upward ? span(x, every) : span(x, every).reverse() },
      yaxis: { ...axisOf("leak (lower is better)", y, colors), range: span(y, every) },
      annotations: named(labelled, every, x, y, [width - 80, height - 66], colors),
    }, colors, printing);
    canvas.hidden = false;
    document.querySelector("#plane-figure .still").hidden = true;
    Plotly.purge(canvas);
    Plotly.newPlot(canvas, traces, layout, { responsive: !printing, displaylogo: false, displayModeBar: false });
    byId("plane-title").textContent = `${y.title} against ${x.title}`;
    const heads = [...document.querySelectorAll("#standings thead th")].map((th) => th.textContent);
    const interval = (place, axis) => `${number(place[1], axis.scale)} to ${number(place[2], axis.scale)}`;
    byId("standings").tBodies[0].replaceChildren(...every.map((s) => {
      const [a, b] = [y.places[s.i], x.places[s.i]];
      return row([labels[s.i], number(a[0], y.scale), interval(a, y), number(b[0], x.scale), interval(b, x), said(s)], heads);
    }));
    const missing = labels.map((_, i) => i).filter((i) => !x.places[i] || !y.places[i]);
    byId("unplaced").replaceChildren(...missing.map((i) => {
      const item = document.createElement("li");
      item.textContent = `${labels[i]} cannot be placed: ${[y.reasons[i], x.reasons[i]].filter(Boolean).join("; ")}`;
      return item;
    }));
    byId("plane-said").textContent = `On the front: ${listed(front.map((s) => s.i))}. ${missing.length} cannot be placed.`;
  }

  // ---- the differences of one estimate

  function turned([first, second, value, low, high, adjusted, shown], reference) {
    if (reference < 0 || second === reference) return { first, second, value, low, high, adjusted, shown };
    return { first: second, second: first, value: -value, low: -high, high: -low, adjusted, shown };
  }

  function drawForest(printing) {
    const figure = byId("forest-figure");
    if (!figure) return;
    figure.hidden = false;
    const estimate = data.estimates[chosen("forest-estimate")];
    const reference = chosen("forest-reference");
    const pairs = estimate.pairs.filter((pair) => reference < 0 || pair[0] === reference || pair[1] === reference).map((pair) => turned(pair, reference));
    const colors = palette(printing);
    const what = estimate.of === "leak" ? "distance from the null" : estimate.kind === "attack" ? "leak" : "value";
    const side = estimate.worse === "higher" ? "To the right the first is worse." : "To the right the first is better.";
    byId("forest-title").textContent = estimate.title;
    byId("forest-key").textContent = `First minus second, ${what}, with interval. ${side} Filled: a difference is shown; hollow: none is.${pairs.length ? "" : " No pair has a number here."}`;
    const names = pairs.map((pair) => `${labels[pair.first]} ${MINUS} ${labels[pair.second]}`);
    const rows = pairs.map((_, i) => pairs.length - i);
    const scale = estimate.scale === "share" ? 100 : 1;
    const traces = [true, false].map((shown) => {
      const some = pairs.map((pair, i) => [pair, i]).filter(([pair]) => Boolean(pair.shown) === shown);
      const color = shown ? colors.accent : colors.quiet;
      return {
        type: "scatter", mode: "markers", x: some.map(([pair]) => scale * pair.value), y: some.map(([, i]) => rows[i]),
        error_x: bars(some.map(([pair]) => [scale * pair.value, scale * pair.low, scale * pair.high]), { color }),
        marker: { color: shown ? color : colors.card, size: 9, symbol: shown ? "square" : "circle", line: { color, width: 1.5 } }, hoverinfo: "text",
        text: some.map(([pair, i]) => `${text(names[i])}<br>${signed(pair.value, estimate.scale)} [${signed(pair.low, estimate.scale)}, ${signed(pair.high, estimate.scale)}], p ${text(p(pair.adjusted))}`),
      };
    });
    const canvas = byId("forest-canvas");
    const narrow = !printing && canvas.clientWidth < 520;
    const short = (name) => (name.length > (narrow ? 22 : 60) ? `${name.slice(0, narrow ? 21 : 59)}…` : name);
    const layout = plain({
      height: 70 + 24 * Math.max(pairs.length, 2), margin: { l: 10, r: 16, t: 6, b: 46 },
      xaxis: { title: { text: scale > 1 ? "difference, percentage points" : "difference", standoff: 8 }, gridcolor: colors.grid, zeroline: true, zerolinecolor: colors.ink, automargin: true, nticks: 7 },
      yaxis: { tickvals: rows, ticktext: names.map((name) => text(short(name))), range: [0.4, pairs.length + 0.6], automargin: true, showgrid: false, zeroline: false },
    }, colors, printing);
    Plotly.purge(canvas);
    Plotly.newPlot(canvas, traces, layout, { responsive: !printing, displaylogo: false, displayModeBar: false });
    const heads = [...document.querySelectorAll("#forest-table thead th")].map((th) => th.textContent);
    byId("forest-table").tBodies[0].replaceChildren(...pairs.map((pair, i) => row([
      names[i], signed(pair.value, estimate.scale),
      `${signed(pair.low, estimate.scale)} to ${signed(pair.high, estimate.scale)}`, p(pair.adjusted),
    ], heads)));
  }

  // ---- the filter

  function filter() {
    const words = byId("filter").value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const [family, only] = [byId("family").value, byId("only-shown").checked];
    let [seen, all] = [0, 0];
    const narrowed = Boolean(family || only || words.length);
    for (const fold of byId("all-findings").children) {
      let inside = 0;
      for (const body of fold.querySelectorAll("tbody")) {
        const head = `${fold.querySelector("summary strong").textContent} ${body.querySelector(".plugin").textContent}`.toLowerCase();
        const long = body.dataset.shown !== undefined;
        let here = 0;
        for (const line of long ? [body] : body.querySelectorAll(".numbers")) {
          const name = long ? head : `${head} ${line.querySelector("th").textContent.toLowerCase()}`;
          const fits = (!family || fold.dataset.family === family) && (!only || line.dataset.shown > 0) && words.every((word) => name.includes(word));
          line.hidden = !fits;
          all += 1;
          here += fits;
          const after = line.nextElementSibling;
          if (!long && after?.classList.contains("method")) after.hidden = !fits;
        }
        body.hidden = !here;
        inside += here;
      }
      fold.hidden = !inside;
      fold.open = narrowed && inside > 0;
      seen += inside;
    }
    byId("filtered").textContent = `${seen} of ${all} figures`;
  }

  for (const controls of document.querySelectorAll(".controls")) controls.hidden = false;
  const draw = (printing) => {
    if (typeof Plotly === "undefined") return;
    drawPlane(printing);
    drawForest(printing);
  };
  for (const id of ["axis-x", "axis-y"]) byId(id)?.addEventListener("change", () => drawPlane(false));
  for (const id of ["forest-estimate", "forest-reference"]) byId(id)?.addEventListener("change", () => drawForest(false));
  for (const id of ["filter", "family", "only-shown"]) byId(id).addEventListener("input", filter);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(false));
  let unfolded = [];
  addEventListener("beforeprint", () => {
    unfolded = [...document.querySelectorAll("details.paper:not([open])")];
    for (const fold of unfolded) fold.open = true;
    draw(true);
  });
  addEventListener("afterprint", () => {
    for (const fold of unfolded) fold.open = false;
    draw(false);
  });
  filter();
  draw(false);
})();
