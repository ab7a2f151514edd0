"use strict";
// The explorer: the page's own table, drawn as asked. It loads nothing; its state lives in the address's fragment.
(() => {
  const root = document.getElementById("explorer-app");
  const packed = document.getElementById("packed");
  if (!root || !packed || typeof DecompressionStream === "undefined") return;
  const $ = (name) => root.querySelector(`[data-part="${name}"]`);
  const styles = JSON.parse(document.getElementById("styles").textContent);
  const NS = "http://www.w3.org/2000/svg";
  const LEFT = 78, TOP = 20, BOTTOM = 56, STRIP = 34;
  // A narrow screen has a drawing of its own: text keeps its size.
  const small = matchMedia("(max-width: 640px)");
  let W = 1000, H = 560, RIGHT = 24;
  // So many lines bear their names; the height of a name.
  const NAMED = 16, LINE = 16;
  let table = null, state = {}, defaults = {};

  const number = (v) => (v === "nan" ? NaN : v === "inf" ? Infinity : v === "-inf" ? -Infinity : v);

  async function open() {
    const bytes = Uint8Array.from(atob(packed.textContent.trim()), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  // A column's value in a row: words are stored once.
  const at = (name, i) => (table[name].words ? table[name].words[table[name].at[i]] : number(table[name][i]));

  // What is chosen with one menu each: its key in the fragment, its label, its value in a row.
  const data = (i) => `${at("group", i)}, ${at("family", i)}`;
  const device = (i) => (at("device", i) === "cpu" ? "cpu" : `${at("device", i)}, contraction ${at("contraction", i)}`);
  const norm = (i) => at("norm", i) + (at("groups", i) ? ` ${at("groups", i)}` : "");
  const MENUS = [
    ["data", "feature maps", data],
    ["storage", "stored in", (i) => at("storage", i)],
    ["acc", "accumulator", (i) => at("accumulator", i)],
    ["norm", "reduction", norm],
    ["device", "device", device],
    ["ddof", "correction", (i) => String(at("correction", i))],
    ["order", "order", (i) => at("order", i)],
  ];
  const KEYS = ["x", "y", ...MENUS.map(([key]) => key)];
  const ANY = "any";
  const X = { kappa: ["condition number κ (worst row)", "kappa_worst"], N: ["values in a row, N", "values"] };
  const Y = {
    worst: ["relative error of the variance, worst row", "var_error_worst"],
    median: ["relative error of the variance, median row", "var_error_median"],
    ulps: ["error of the variance in ulps, worst row", "var_ulps_worst"],
    mean: ["relative error of the mean, worst row", "mean_error_worst"],
    output: ["error of the normalised output, worst row", "y_error_worst"],
  };
  const BOUND = { worst: "var_bound", mean: "mean_bound" };

  // State and fragment ------------------------------------------------------------------------------------------------

  function read() {
    // A link to another place of the page leaves what is chosen.
    if (!location.hash.startsWith("#explore?")) return false;
    state = { ...defaults, hidden: new Set() };
    for (const [key, value] of new URLSearchParams(location.hash.slice(9))) {
      if (key === "hide") state.hidden.add(value);
      else if (key === "theory") state.theory = value !== "0";
      else if (KEYS.includes(key)) state[key] = value;
    }
    if (!Object.hasOwn(X, state.x)) state.x = defaults.x;
    if (!Object.hasOwn(Y, state.y)) state.y = defaults.y;
    return true;
  }

  function remember() {
    const query = new URLSearchParams();
    for (const key of KEYS) query.set(key, state[key]);
    query.set("theory", state.theory ? "1" : "0");
    // One each: names may hold spaces.
    for (const name of [...state.hidden].sort()) query.append("hide", name);
    history.replaceState(null, "", `#explore?${query}`);
  }

  // Menus -------------------------------------------------------------------------------------------------------------

  function option(value, text, selected) {
    const made = document.createElement("option");
    made.value = value;
    made.textContent = text;
    made.selected = selected;
    return made;
  }

  // Whether a value has a place on the axis across.
  const drawable = (x) => x > 0 && x < Infinity;

  // Each menu offers what is left by the menus before it, so that no choice draws an empty plane.
  function narrow() {
    let rows = table.length;
    for (const [key, , value] of MENUS) {
      const select = $(key);
      const counts = new Map();
      for (const i of rows) counts.set(value(i), (counts.get(value(i)) || 0) + 1);
      const open = key === "order" || key === "norm";
      if (!counts.has(state[key]) && !(open && state[key] === ANY)) {
        state[key] = open ? ANY : counts.has(defaults[key]) ? defaults[key] : counts.keys().next().value;
      }
      select.replaceChildren(
        ...(open ? [option(ANY, `any (${rows.length})`, state[key] === ANY)] : []),
        ...[...counts].map(([name, n]) => option(name, `${name} (${n})`, name === state[key])),
      );
      if (state[key] !== ANY) rows = rows.filter((i) => value(i) === state[key]);
    }
    const spread = (name) => new Set(rows.map((i) => at(X[name][1], i)).filter(drawable)).size;
    const other = state.x === "kappa" ? "N" : "kappa";
    if (spread(state.x) < Math.min(2, spread(other))) state.x = other;
    $("x").value = state.x;
    $("y").value = state.y;
    $("theory").checked = state.theory;
    return rows;
  }

  // Drawing -----------------------------------------------------------------------------------------------------------

  function node(parent, name, attributes, text) {
    const made = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  }

  const SHAPES = {
    o: (r) => `M${-r},0a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0`,
    s: (r) => `M${-r},${-r}h${2 * r}v${2 * r}h${-2 * r}z`,
    "^": (r) => `M0,${-1.2 * r}L${1.15 * r},${r}H${-1.15 * r}z`,
    v: (r) => `M0,${1.2 * r}L${1.15 * r},${-r}H${-1.15 * r}z`,
    D: (r) => `M0,${-1.3 * r}L${1.3 * r},0L0,${1.3 * r}L${-1.3 * r},0z`,
    P: (r) => `M${-0.45 * r},${-1.2 * r}h${0.9 * r}v${0.75 * r}h${0.75 * r}v${0.9 * r}h${-0.75 * r}v${0.75 * r}h${-0.9 * r}v${-0.75 * r}h${-0.75 * r}v${-0.9 * r}h${0.75 * r}z`,
    X: (r) => `M${-r},${-0.5 * r}L${-0.5 * r},${-r}L0,${-0.5 * r}L${0.5 * r},${-r}L${r},${-0.5 * r}L${0.5 * r},0L${r},${0.5 * r}L${0.5 * r},${r}L0,${0.5 * r}L${-0.5 * r},${r}L${-r},${0.5 * r}L${-0.5 * r},0z`,
    "*": (r) => `M0,${-1.3 * r}L${0.4 * r},${-0.4 * r}L${1.3 * r},0L${0.4 * r},${0.4 * r}L0,${1.3 * r}L${-0.4 * r},${0.4 * r}L${-1.3 * r},0L${-0.4 * r},${-0.4 * r}z`,
    h: (r) => `M${-1.1 * r},0L${-0.55 * r},${-r}H${0.55 * r}L${1.1 * r},0L${0.55 * r},${r}H${-0.55 * r}z`,
  };
  const DASHES = { running: "none", pairwise: "8 3", lanes32: "2 3", blocked128: "8 3 2 3" };
  // Of lines in one order, those of one colour differ by their dashes; of lines in several, the dash tells the order.
  const REPEATS = ["none", "8 3", "2 3", "8 3 2 3", "5 2 1 2"];
  let orders = 1;
  const dash = (series) => (orders > 1 ? DASHES[series.order] || "5 2 1 2" : REPEATS[(styles[series.formula] || [])[2] || 0] || "5 2 1 2");
  const colour = (formula) => `var(--${styles[formula] ? styles[formula][0] : "c7"})`;
  const shape = (formula) => (SHAPES[styles[formula] ? styles[formula][1] : "o"] || SHAPES.o)(4.6);

  const SUPERSCRIPT = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  const power = (k) => "10" + String(k).replace("-", "⁻").replace(/\d/g, (d) => SUPERSCRIPT[d]);
  const short = (v) => (Number.isNaN(v) ? "NaN" : v === Infinity ? "∞" : v === 0 ? "0" : Number(v.toPrecision(4)).toString());

  function scale(low, high, from, to) {
    const a = Math.log10(low), b = Math.log10(high);
    return (v) => from + ((Math.log10(v) - a) / (b - a || 1)) * (to - from);
  }

  function ticks(low, high, most = 9) {
    const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9);
    const step = [1, 2, 3, 5, 10, 20, 50, 100].find((s) => (last - first) / s <= most) || 100;
    const found = [];
    for (let k = first; k <= last; k++) if (k % step === 0) found.push(k);
    return found;
  }

  function groups(rows) {
    const found = new Map();
    for (const i of rows) {
      const name = at("algorithm", i);
      if (!found.has(name)) found.set(name, { name, formula: at("formula", i), order: at("order", i), rows: [] });
      found.get(name).rows.push(i);
    }
    const xs = X[state.x][1];
    for (const series of found.values()) series.rows.sort((a, b) => at(xs, a) - at(xs, b));
    return [...found.values()];
  }

  function draw() {
    const rows = narrow();
    const all = groups(rows);
    orders = new Set(all.map((series) => series.order)).size;
    const shown = all.filter((s) => !state.hidden.has(s.name));
    const joined = (series) => new Set(series.rows.map((i) => at("case", i).replace(/[=/][^=/]*$/, ""))).size === 1;
    const named = shown.length <= NAMED && !small.matches ? shown.filter(joined) : [];
    [W, H] = small.matches ? [480, 520] : [1000, 560];
    RIGHT = named.length ? 200 : 24;
    const xs = X[state.x][1], ys = Y[state.y][1], bounds = state.theory ? BOUND[state.y] : null;
    const svg = $("plot");
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
    const ends = [];
    let xlow = Infinity, xhigh = 0, low = Infinity, high = 0, points = 0, failed = 0, exact = 0;
    for (const { rows: mine } of shown) {
      for (const i of mine) {
        const x = at(xs, i), y = at(ys, i);
        if (!drawable(x)) continue;
        points += 1;
        xlow = Math.min(xlow, x);
        xhigh = Math.max(xhigh, x);
        if (y > 0 && y < Infinity) { low = Math.min(low, y); high = Math.max(high, y); }
        else if (y === 0) exact += 1;
        else failed += 1;
      }
    }
    if (!(xlow < Infinity)) { xlow = 1; xhigh = 10; }
    if (!(low < Infinity)) { low = 1e-8; high = 1; }
    if (state.y !== "ulps") high = Math.max(high, 1);
    const px = scale(xlow / 1.4, xhigh * 1.4, LEFT, W - RIGHT);
    const py = scale(low / 2, high * 2, H - BOTTOM - STRIP, TOP + STRIP);
    node(svg, "rect", { x: LEFT, y: TOP, width: W - LEFT - RIGHT, height: STRIP - 6, fill: "var(--strip)" });
    node(svg, "rect", { x: LEFT, y: H - BOTTOM - STRIP + 6, width: W - LEFT - RIGHT, height: STRIP - 6, fill: "var(--strip)" });
    node(svg, "text", { x: LEFT - 8, y: TOP + 18, "text-anchor": "end", class: "small" }, "NaN, ∞");
    node(svg, "text", { x: LEFT - 8, y: H - BOTTOM - 10, "text-anchor": "end", class: "small" }, "exact");
    for (const k of ticks(xlow / 1.4, xhigh * 1.4, small.matches ? 5 : 9)) {
      node(svg, "line", { x1: px(10 ** k), x2: px(10 ** k), y1: TOP, y2: H - BOTTOM, class: "grid" });
      node(svg, "text", { x: px(10 ** k), y: H - BOTTOM + 18, "text-anchor": "middle" }, power(k));
    }
    for (const k of ticks(low / 2, high * 2)) {
      node(svg, "line", { x1: LEFT, x2: W - RIGHT, y1: py(10 ** k), y2: py(10 ** k), class: k ? "grid" : "level" });
      node(svg, "text", { x: LEFT - 8, y: py(10 ** k) + 4, "text-anchor": "end" }, power(k));
    }
    node(svg, "text", { x: (LEFT + W - RIGHT) / 2, y: H - 10, "text-anchor": "middle" }, X[state.x][0]);
    node(svg, "text", { x: 0, y: 0, transform: `translate(18 ${H / 2}) rotate(-90)`, "text-anchor": "middle" }, Y[state.y][0]);
    const clip = node(svg, "clipPath", { id: "explorer-clip" });
    node(clip, "rect", { x: LEFT, y: TOP, width: W - LEFT - RIGHT, height: H - TOP - BOTTOM });
    shown.forEach((series, place) => {
      const line = [], bound = [];
      let last = null;
      const group = node(svg, "g", { style: `color:${colour(series.formula)}` });
      for (const i of series.rows) {
        const x = at(xs, i), y = at(ys, i);
        if (!drawable(x)) continue;
        const ordinary = y > 0 && y < Infinity;
        const spread = ((place + 0.5) / shown.length) * (STRIP - 12);
        const cy = ordinary ? py(y) : y === 0 ? H - BOTTOM - STRIP + 9 + spread : TOP + 3 + spread;
        if (ordinary) line.push([px(x), cy]);
        last = [px(x), cy];
        if (bounds) { const b = at(bounds, i); if (b > 0 && b < Infinity) bound.push([px(x), py(b)]); }
        const mark = node(group, "path", { d: shape(series.formula), transform: `translate(${px(x).toFixed(1)} ${cy.toFixed(1)})`, class: "mark" });
        node(mark, "title", {}, `${series.name}\n${at("case", i)}\n${X[state.x][0]}: ${short(x)}\n${Y[state.y][0]}: ${short(y)}`);
      }
      const path = (p) => "M" + p.map(([a, b]) => `${a.toFixed(1)},${b.toFixed(1)}`).join("L");
      if (joined(series) && line.length > 1) node(group, "path", { d: path(line), class: "line", "stroke-dasharray": dash(series) });
      if (last && named.includes(series)) ends.push({ series, x: last[0], y: last[1] });
      if (bound.length > 1) node(group, "path", { d: path(bound), class: "bound", "clip-path": "url(#explorer-clip)" });
    });
    names(svg, ends);
    legend(all);
    listing(shown, xs, ys);
    const words = `${shown.length} of ${all.length} algorithms, ${points} measurements: ${failed} NaN or infinite, ${exact} exact. ${X[state.x][0]} from ${short(xlow)} to ${short(xhigh)}.`;
    $("said").textContent = words;
    svg.setAttribute("aria-label", `${Y[state.y][0]} against ${X[state.x][0]}. ${words}`);
  }

  // Names where lines end, moved apart where they would cover each other: spread round the mean of their ends.
  function names(svg, ends) {
    ends.sort((a, b) => a.y - b.y);
    const groups = [];
    const mean = (group) => group.reduce((sum, v) => sum + v, 0) / group.length;
    ends.forEach((end, place) => {
      groups.push([end.y - place * LINE]);
      while (groups.length > 1 && mean(groups[groups.length - 2]) > mean(groups[groups.length - 1])) {
        const lower = groups.pop();
        groups.push([...groups.pop(), ...lower]);
      }
    });
    const heights = groups.flatMap((group) => group.map(() => mean(group)));
    ends.forEach(({ series, x, y }, place) => {
      const height = Math.max(TOP + 6, heights[place]) + place * LINE;
      const group = node(svg, "g", { style: `color:${colour(series.formula)}` });
      node(group, "path", { d: `M${(x + 6).toFixed(1)},${y.toFixed(1)}L${W - RIGHT + 14},${height.toFixed(1)}`, class: "leader" });
      node(group, "text", { x: W - RIGHT + 18, y: (height + 4).toFixed(1), class: "name" }, series.name);
    });
  }

  function legend(all) {
    const list = $("legend");
    const focused = document.activeElement && list.contains(document.activeElement) ? document.activeElement.value : null;
    list.replaceChildren(...all.map((series) => {
      const label = document.createElement("label");
      const box = document.createElement("input");
      box.type = "checkbox";
      box.value = series.name;
      box.checked = !state.hidden.has(series.name);
      box.addEventListener("change", () => {
        if (box.checked) state.hidden.delete(series.name);
        else state.hidden.add(series.name);
        changed();
      });
      const swatch = document.createElementNS(NS, "svg");
      for (const [k, v] of Object.entries({ viewBox: "-20 -8 40 16", width: 40, height: 16, "aria-hidden": "true", style: `color:${colour(series.formula)}` })) swatch.setAttribute(k, v);
      node(swatch, "path", { d: "M-20,0H20", class: "line", "stroke-dasharray": dash(series) });
      node(swatch, "path", { d: shape(series.formula), class: "mark" });
      label.append(box, swatch, document.createTextNode(series.name));
      return label;
    }));
    if (focused) for (const box of list.querySelectorAll("input")) if (box.value === focused) box.focus();
  }

  // The same as a table, for those who read rather than look.
  function listing(shown, xs, ys) {
    const body = $("rows");
    const made = [];
    const bounds = BOUND[state.y];
    for (const series of shown) {
      for (const i of series.rows) {
        if (made.length >= 2000) break;
        if (!drawable(at(xs, i))) continue;
        const row = document.createElement("tr");
        const name = document.createElement("th");
        name.scope = "row";
        name.textContent = series.name;
        row.append(name);
        for (const text of [at("case", i), short(at(xs, i)), short(at(ys, i)), bounds ? short(at(bounds, i)) : "–"]) {
          const cell = document.createElement("td");
          cell.textContent = text;
          row.append(cell);
        }
        made.push(row);
      }
    }
    body.replaceChildren(...made);
    root.querySelectorAll("[data-head]").forEach((cell) => {
      cell.textContent = cell.dataset.head === "x" ? X[state.x][0] : Y[state.y][0];
    });
  }

  function changed() {
    draw();
    remember();
  }

  // All as CSV, for those who take the numbers with them.
  function download() {
    const names = Object.keys(table).filter((name) => name !== "length");
    const cell = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const lines = [names.join(",")];
    for (const i of table.length) {
      lines.push(names.map((name) => cell(table[name].words ? at(name, i) : String(table[name][i]))).join(","));
    }
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
    link.download = "varstudy-results.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  async function start() {
    try {
      table = await open();
    } catch (problem) {
      // The explorer is still hidden: the note in its place tells.
      document.getElementById("explorer-without").textContent = `The embedded table could not be opened (${problem}): reload the page.`;
      return;
    }
    table.length = [...table.algorithm.at.keys()];
    defaults = {
      x: "kappa", y: "worst", data: "kappa-sweep, offset", storage: "float32", acc: "float32", norm: ANY, order: "running",
      device: "cpu", ddof: "0", theory: true,
    };
    for (const [key, label] of [["x", X], ["y", Y]]) {
      $(key).replaceChildren(...Object.entries(label).map(([name, [text]]) => option(name, text, false)));
    }
    for (const key of KEYS) {
      $(key).addEventListener("change", (event) => { state[key] = event.target.value; changed(); });
    }
    $("theory").addEventListener("change", (event) => { state.theory = event.target.checked; changed(); });
    $("all").addEventListener("click", () => { state.hidden.clear(); changed(); });
    $("none").addEventListener("click", () => {
      state.hidden = new Set([...$("legend").querySelectorAll("input")].map((box) => box.value));
      changed();
    });
    $("reset").addEventListener("click", () => { state = { ...defaults, hidden: new Set() }; changed(); });
    $("csv").addEventListener("click", download);
    // Enter on a box would send the form, and with it the page.
    root.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
    state = { ...defaults, hidden: new Set() };
    const sent = read();
    root.hidden = false;
    document.getElementById("explorer-without").hidden = true;
    draw();
    if (sent) document.getElementById("explorer").scrollIntoView();
    small.addEventListener("change", draw);
    window.addEventListener("hashchange", () => { if (read()) draw(); });
  }

  start();
})();
