"use strict";
// Tables that sort, filter and copy. Without this script they are as they were written.
(() => {
  const status = document.createElement("p");
  status.className = "sr";
  status.setAttribute("role", "status");
  document.body.append(status);

  const text = (cell) => cell.textContent.trim().replace(/\s+/g, " ");

  // What a cell counts as when sorted: a number where it begins with one, else its words.
  const SUP = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  function value(cell) {
    const plain = text(cell).replaceAll("−", "-").replaceAll(",", "");
    const power = plain.match(/^(-?)(?:([\d.]+)×)?10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)/);
    if (power) {
      const exponent = [...power[3]].map((c) => (c === "⁻" ? "-" : SUP.indexOf(c))).join("");
      return Number(`${power[1]}${power[2] || 1}e${exponent}`);
    }
    if (plain === "=" || plain === "exact" || plain === "∞" || plain === "inf") return Infinity;
    const found = plain.match(/^-?\d+(\.\d+)?(e[-+]?\d+)?/);
    return found ? Number(found[0]) : plain.toLowerCase();
  }

  function compare(a, b) {
    if (typeof a === "number" && typeof b === "number") return a === b ? 0 : a < b ? -1 : 1;
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return a < b ? -1 : a > b ? 1 : 0;
  }

  // Rows in groups, each under its own heading row where there is one.
  function groups(body) {
    const found = [];
    for (const row of body.rows) {
      if (row.classList.contains("sub")) found.push({ head: row, rows: [] });
      else {
        if (!found.length) found.push({ head: null, rows: [] });
        found[found.length - 1].rows.push(row);
      }
    }
    return found;
  }

  // The heads of the columns themselves, from left to right, whatever spans above them.
  function heads(table) {
    const columns = [];
    [...table.tHead.rows].forEach((row, r) => {
      let place = 0;
      for (const cell of row.cells) {
        while (columns[place] && columns[place].until > r) place += 1;
        for (let k = 0; k < cell.colSpan; k++) columns[place + k] = { cell, until: r + cell.rowSpan, single: cell.colSpan === 1 };
        place += cell.colSpan;
      }
    });
    return columns;
  }

  function sort(table, column, cell) {
    const down = cell.getAttribute("aria-sort") === "ascending";
    table.querySelectorAll("[aria-sort]").forEach((head) => head.removeAttribute("aria-sort"));
    cell.setAttribute("aria-sort", down ? "descending" : "ascending");
    for (const body of table.tBodies) {
      for (const { head, rows } of groups(body)) {
        const keyed = rows.map((row) => [row.cells[column] ? value(row.cells[column]) : "", row]);
        keyed.sort((a, b) => (down ? compare(b[0], a[0]) : compare(a[0], b[0])));
        let after = head;
        for (const [, row] of keyed) {
          if (after) after.after(row);
          else body.append(row);
          after = row;
        }
      }
    }
    status.textContent = `Sorted by ${text(cell)}, ${down ? "descending" : "ascending"}.`;
  }

  function filter(table, words) {
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0, all = 0;
    for (const body of table.tBodies) {
      for (const { head, rows } of groups(body)) {
        const above = head ? text(head).toLowerCase() : "";
        let any = false;
        for (const row of rows) {
          const mine = `${above} ${text(row).toLowerCase()}`;
          row.hidden = !wanted.every((word) => mine.includes(word));
          any ||= !row.hidden;
          shown += !row.hidden;
          all += 1;
        }
        if (head) head.hidden = !any;
      }
    }
    return `${shown} of ${all} rows`;
  }

  // Copies ------------------------------------------------------------------------------------------------------------

  // A row's cells, one for each column: a cell that spans several stands in all of them.
  const wide = (row) => [...row.cells].flatMap((cell) => Array(cell.colSpan).fill(text(cell)));

  function grid(table) {
    const columns = heads(table);
    const top = table.tHead.rows.length > 1;
    const names = columns.map(({ cell }, place) => {
      const above = top ? [...table.tHead.rows[0].cells] : [];
      let at = 0;
      for (const head of above) {
        if (place < at + head.colSpan) return head === cell ? text(cell) : `${text(head)} ${cell.querySelector("abbr")?.title || text(cell)}`;
        at += head.colSpan;
      }
      return text(cell);
    });
    const lines = [];
    let under = "", any = false;
    for (const body of table.tBodies) {
      for (const { head, rows } of groups(body)) {
        under = head ? text(head) : "";
        any ||= Boolean(head);
        for (const row of rows) if (!row.hidden) lines.push([under, ...wide(row)]);
      }
    }
    return any ? [["", ...names], ...lines] : [names, ...lines.map((line) => line.slice(1))];
  }

  const FORMATS = {
    CSV: (rows) => rows.map((row) => row.map((t) => (/[",\n]/.test(t) ? `"${t.replaceAll('"', '""')}"` : t)).join(",")).join("\n"),
    Markdown: (rows) => {
      const line = (row) => `| ${row.map((t) => t.replace(/[\\|<]/g, "\\$&")).join(" | ")} |`;
      return [line(rows[0]), line(rows[0].map(() => "---")), ...rows.slice(1).map(line)].join("\n");
    },
    LaTeX: (rows) => {
      const plain = (t) => t.replace(/[\\&%$#_{}~^]/g, (c) => ({ "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}" })[c] || `\\${c}`);
      const line = (row) => `${row.map(plain).join(" & ")} \\\\`;
      return [`\\begin{tabular}{${"l".repeat(rows[0].length)}}`, "\\hline", line(rows[0]), "\\hline", ...rows.slice(1).map(line), "\\hline", "\\end{tabular}"].join("\n");
    },
  };

  async function copy(words) {
    try {
      await navigator.clipboard.writeText(words);
      return true;
    } catch {
      // A page opened from a file may not have the clipboard: the old way, by a selection.
      const area = document.createElement("textarea");
      area.value = words;
      area.className = "sr";
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  }

  function tools(table) {
    const name = table.caption ? text(table.caption) : "table";
    const bar = document.createElement("div");
    bar.className = "tools";
    const label = document.createElement("label");
    const search = document.createElement("input");
    search.type = "search";
    search.placeholder = "all words must match";
    search.setAttribute("aria-label", `Filter the rows of: ${name}`);
    label.append("filter ", search);
    const said = document.createElement("span");
    said.setAttribute("role", "status");
    search.addEventListener("input", () => { said.textContent = search.value.trim() ? filter(table, search.value) : (filter(table, ""), ""); });
    bar.append(label);
    for (const [format, write] of Object.entries(FORMATS)) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `copy as ${format}`;
      button.setAttribute("aria-label", `Copy as ${format}: ${name}`);
      button.addEventListener("click", async () => {
        const rows = grid(table);
        said.textContent = (await copy(write(rows))) ? `copied ${rows.length - 1} rows` : "the browser refused the clipboard";
      });
      bar.append(button);
    }
    bar.append(said);
    return bar;
  }

  function enhance(table) {
    if (!table.tHead || !table.tBodies.length || table.dataset.enhanced) return;
    table.dataset.enhanced = "yes";
    const rows = [...table.tBodies].reduce((n, body) => n + body.rows.length, 0);
    if (rows < 3) return;
    heads(table).forEach(({ cell, single }, column) => {
      if (!single || cell.querySelector("button")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...cell.childNodes);
      cell.append(button);
      button.addEventListener("click", () => sort(table, column, cell));
    });
    const holder = table.closest(".scroll") || table;
    holder.before(tools(table));
  }

  // A long table under a closed heading is made ready when it is opened: the page opens at once.
  for (const table of document.querySelectorAll("main table:not([data-plain])")) {
    const closed = table.closest("details:not([open])");
    if (closed) closed.addEventListener("toggle", () => enhance(table), { once: true });
    else enhance(table);
  }
})();
