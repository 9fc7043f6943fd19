"use strict";
// Draws a report out of the JSON in the page.  Rule: what comes from a run becomes a text,
// never markup.  Only the rows that can be seen are in the document.
(() => {
  const report = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const root = document.documentElement;
  const HEIGHT = 34, GUTTER = 104, WIDE = 250, NARROW = 172, EXTRA = 8;
  const KINDS = [
    ["message", "messages", true], ["console", "console", true], ["kernel", "kernel", true],
    ["fault", "faults", true], ["switch", "switches", false],
  ];
  const SHOWN_ALWAYS = new Set(["bad", "lost", "gap"]);
  const { rows, bars, columns, findings } = report;
  const state = { kinds: new Set(KINDS.filter((k) => k[2]).map((k) => k[0])), column: null, selected: -1, finding: null };
  let visible = [];  // numbers of rows
  let place = [];  // by row: how many visible rows are before it
  let texts = null;  // by row: what a search looks at
  let width = WIDE;
  const barOf = new Map(bars.map((bar) => [bar.id, bar]));
  const lostIn = lostWords();

  // -- making elements --------------------------------------------------------

  function make(tag, className, ...children) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    for (const child of children) {
      if (child !== null && child !== undefined && child !== "") element.append(child);
    }
    return element;
  }
  function draw(tag, attributes, title) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const name in attributes) element.setAttribute(name, attributes[name]);
    if (title) draw.add(element, title);
    return element;
  }
  draw.add = (element, text) => {
    const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
    title.textContent = text;
    element.append(title);
  };
  const colour = (column) => (column < 0 ? "var(--dim)" : `var(--c${column % 8})`);
  const table = (head, lines) => make("table", "",
    make("thead", "", make("tr", "", ...head.map((text) => {
      const cell = make("th", "", text);
      cell.scope = "col";
      return cell;
    }))),
    make("tbody", "", ...lines));
  const cell = (text, className) => make("td", className || "", text);
  const pairs = (list) => make("dl", "pairs", ...list.flatMap(([what, text]) => [make("dt", "", what), make("dd", "", text)]));

  const factsOf = (row) => (row.facts === undefined ? [] : report.tables[row.facts]);
  function titleOf(bar) {
    const partner = bar.partner >= 0 ? columns[bar.partner].name : bar.with || "the kernel";
    const end = bar.died ? `position ${bar.died}` : "the end of the run";
    return `${bar.id} ${bar.out ? "to" : "from"} ${partner}, ${bar.words} word${bar.words === 1 ? "" : "s"}; ` +
      `owned by ${bar.owner || "unknown code"}; from position ${bar.born} to ${end}`;
  }

  // -- what is shown ----------------------------------------------------------

  function textOf(row) {
    const names = [row.from, row.to].filter((c) => c >= 0).map((c) => columns[c].name);
    const facts = factsOf(row).map((fact) => fact.join(" "));
    return [row.title, ...names, ...(row.words || []), ...facts, row.finding || "", row.position || "",
      ...(row.lines || [])].join(" ").toLowerCase();
  }
  function filter() {
    const wanted = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    if (wanted.length && texts === null) texts = rows.map(textOf);
    visible = [];
    place = new Array(rows.length + 1);
    rows.forEach((row, k) => {
      place[k] = visible.length;
      const kind = row.kind === "end" ? "kernel" : row.kind;
      if (!SHOWN_ALWAYS.has(kind) && !state.kinds.has(kind)) return;
      if (state.column !== null && row.kind !== "gap" && row.from !== state.column && row.to !== state.column) return;
      if (wanted.length && (row.kind === "gap" || !wanted.every((word) => texts[k].includes(word)))) return;
      visible.push(k);
    });
    place[rows.length] = visible.length;
    const total = rows.filter((row) => row.kind !== "gap").length;
    const shown = visible.filter((k) => rows[k].kind !== "gap").length;
    $("count").textContent = shown === total ? `${total} rows` : `${shown} of ${total} rows`;
    layout();
  }
  function layout() {
    const box = $("scroll");
    const room = box.clientWidth - GUTTER - 110;
    width = Math.max(NARROW, Math.min(WIDE + 60, Math.floor(room / Math.max(columns.length, 1))));
    const full = Math.max(box.clientWidth, GUTTER + width * columns.length + 40);
    for (const part of [$("rows"), $("heads")]) part.style.width = `${full}px`;
    $("rows").style.height = `${Math.max(visible.length, 2) * HEIGHT + 12}px`;
    heads();
    paint(true);
    overview();
  }
  const centre = (column) => GUTTER + Math.round((column + 0.22) * width);
  const middle = (row) => place[row] * HEIGHT + 24;

  function heads() {
    const made = [make("span", "", "position")];
    columns.forEach((column, k) => {
      const head = make("button", "", column.name);
      head.type = "button";
      head.style.left = `${centre(k)}px`;
      head.style.color = colour(k);
      head.title = `Only rows of ${column.name}`;
      head.setAttribute("aria-pressed", String(state.column === k));
      if (state.column === k) head.style.background = colour(k);
      head.onclick = () => { state.column = state.column === k ? null : k; filter(); };
      made.push(head);
    });
    $("heads").replaceChildren(...made);
  }

  // -- the diagram ------------------------------------------------------------

  let painted = [-1, -1];
  function paint(anew) {
    const box = $("scroll");
    const first = Math.max(0, Math.floor((box.scrollTop - 40) / HEIGHT) - EXTRA);
    const end = Math.min(visible.length, Math.ceil((box.scrollTop + box.clientHeight) / HEIGHT) + EXTRA);
    if (!anew && first === painted[0] && end === painted[1]) return;
    painted = [first, end];
    const made = visible.slice(first, end).map((k, at) => rowElement(k, first + at));
    if (!visible.length) made.push(make("p", "empty", "No row is like that."));
    $("rows").replaceChildren(picture(first, end), ...made);
    const active = state.selected >= 0 && $(`row-${state.selected}`);
    if (active) $("rows").setAttribute("aria-activedescendant", active.id);
    else $("rows").removeAttribute("aria-activedescendant");
  }
  function lostWords() {
    // By row: words of its message that a finding says were overwritten.
    const found = new Map();
    for (const finding of findings) {
      const bar = finding.message && barOf.get(finding.message.id);
      if (!bar || bar.out) continue;
      const lost = found.get(bar.begin) || new Set();
      found.set(bar.begin, lost);
      finding.words.forEach((word) => {
        const index = /^mr\[(\d+)\]$/.exec(word.register);
        if (word.here && index) lost.add(Number(index[1]));
      });
    }
    return found;
  }
  function rowElement(k, at) {
    const row = rows[k];
    const element = make("div", `row ${row.kind}`);
    element.id = `row-${k}`;
    element.style.top = `${at * HEIGHT}px`;
    element.style.width = "100%";
    element.setAttribute("role", "option");
    element.setAttribute("aria-selected", String(k === state.selected));
    element.setAttribute("aria-setsize", String(visible.length));
    element.setAttribute("aria-posinset", String(at + 1));
    element.onclick = () => select(k);
    if (row.position) element.append(make("time", "", row.position));
    const label = make("span", "label");
    if (row.kind !== "gap") {
      const who = row.from >= 0 ? columns[row.from].name : "kernel";
      const whom = row.to >= 0 ? ` to ${columns[row.to].name}` : "";
      element.setAttribute("aria-label", `${who}${whom}: ${row.title} ${(row.words || []).join(" ")}`);
    }
    label.append(row.kind === "console" ? `“${row.title}”` : row.title);
    if (row.kind === "message") {
      const lost = lostIn.get(k) || new Set();
      row.words.slice(0, 8).forEach((word, index) => {
        label.append(make("i", lost.has(index) ? "lost" : "", word));
      });
      if (row.words.length > 8) label.append(make("i", "", `and ${row.words.length - 8} more`));
      const [low, high] = [row.from, row.to].sort((a, b) => a - b);
      label.style.left = `${centre(Math.max(low, 0)) + 16}px`;
      label.style.maxWidth = `${Math.max((high - Math.max(low, 0)) * width - 22, 236)}px`;
    } else if (row.kind !== "gap") {
      label.classList.add("on");
      label.style.left = `${centre(Math.max(row.from, 0)) + 26}px`;
      label.style.maxWidth = `calc(100% - ${centre(Math.max(row.from, 0)) + 40}px)`;
    }
    element.append(label);
    return element;
  }
  function picture(first, end) {
    const svg = draw("svg", { width: "100%", height: String(visible.length * HEIGHT), "aria-hidden": "true" });
    const hatch = draw("pattern", { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
    hatch.append(draw("rect", { width: 6, height: 6, fill: "var(--bad-soft)" }), draw("rect", { width: 3, height: 6, fill: "var(--bad)" }));
    const defs = draw("defs", {});
    defs.append(hatch);
    svg.append(defs);
    const top = first * HEIGHT, bottom = end * HEIGHT;
    columns.forEach((_, k) => svg.append(draw("line", { x1: centre(k), x2: centre(k), y1: top, y2: bottom, stroke: "var(--line)", "stroke-width": 1.5 })));
    for (let at = first; at < end; at++) {
      // Who ran on the way to a row is who runs when it happens.
      const { runs } = rows[visible[at]];
      if (runs >= 0) svg.append(draw("line", { x1: centre(runs), x2: centre(runs), y1: (at - 1) * HEIGHT + 24, y2: at * HEIGHT + 24, stroke: colour(runs), "stroke-width": 3, opacity: 0.4 }));
    }
    for (const bar of bars) {
      const from = middle(bar.begin), to = Math.max(bar.end >= rows.length ? visible.length * HEIGHT : middle(bar.end), from + 6);
      if (to < top || from > bottom) continue;
      svg.append(life(bar, from, to, top, bottom));
    }
    for (const finding of findings) {
      const bar = finding.message && barOf.get(finding.message.id);
      if (!bar || finding.row === null || finding.lost === null) continue;
      const from = middle(finding.lost), to = middle(finding.row);
      if (to < top || from > bottom) continue;
      svg.append(draw("rect", { class: "life stale", x: left(bar), y: from, width: 10, height: Math.max(to - from, 4), fill: "url(#hatch)", stroke: "var(--bad)", rx: 2 },
        `${finding.id}: ${finding.register} of ${finding.message.id} is overwritten here, and read at the end`));
    }
    for (let at = first; at < end; at++) svg.append(...sign(rows[visible[at]], at * HEIGHT + 24));
    return svg;
  }
  const left = (bar) => (bar.out ? centre(bar.column) - 13 - 6 * bar.level : centre(bar.column) - 5 + 7 * bar.level);
  function life(bar, from, to, top, bottom) {
    // What is far outside need not be drawn.
    const y = Math.max(from, top - 50), height = Math.min(to, bottom + 50) - y;
    const ink = colour(bar.partner);
    const look = bar.out
      ? { width: 4, fill: "none", stroke: ink, "stroke-dasharray": "3 2", opacity: 0.75 }
      : { width: 10, fill: `color-mix(in srgb, ${ink} 38%, var(--card))`, stroke: ink };
    return draw("rect", { class: bar.out ? "life out" : "life", x: left(bar), y, height, rx: 2, "data-message": bar.id, ...look }, titleOf(bar));
  }
  function sign(row, y) {
    const x = centre(Math.max(row.from, 0));
    switch (row.kind) {
      case "message": {
        const from = row.from >= 0 ? x : GUTTER - 8, to = centre(row.to);
        const toward = to > from ? -1 : 1, tip = to + toward * 6, ink = colour(row.from);
        if (from === to) return [draw("circle", { cx: to, cy: y, r: 4, fill: ink })];
        return [
          draw("line", { x1: from, x2: tip + toward * 4, y1: y, y2: y, stroke: ink, "stroke-width": 1.6 }),
          draw("path", { d: `M${tip} ${y} l${toward * 8} -4.5 v9 z`, fill: ink }),
          draw("circle", { cx: from, cy: y, r: 2.6, fill: ink }),
        ];
      }
      case "bad": return [draw("path", { d: `M${x} ${y - 16} l8 8 l-8 8 l-8 -8 z`, fill: "var(--bad)", stroke: "var(--card)", "stroke-width": 1.5 })];
      case "lost": return [draw("circle", { cx: x, cy: y - 8, r: 5, fill: "var(--lost)", stroke: "var(--card)", "stroke-width": 1.5 })];
      case "fault": return [draw("path", { d: `M${x - 5} ${y - 13} l10 10 m0 -10 l-10 10`, stroke: "var(--bad)", "stroke-width": 2.4 })];
      case "gap": return [];
      default: return row.from < 0 ? [] : [draw("circle", { cx: x, cy: y - 8, r: row.kind === "console" ? 3.5 : 2.5, fill: "var(--card)", stroke: colour(row.from), "stroke-width": 1.6 })];
    }
  }

  // -- the overview: time goes to the right -----------------------------------

  function overview() {
    const canvas = $("overview"), scale = window.devicePixelRatio || 1;
    const lane = Math.max(7, Math.min(16, Math.floor(110 / Math.max(columns.length, 1))));
    const tall = Math.min(columns.length * lane, 132) + 10, wide = canvas.parentElement.clientWidth;
    canvas.style.height = `${tall}px`;
    canvas.width = wide * scale;
    canvas.height = tall * scale;
    const pen = canvas.getContext("2d"), style = getComputedStyle(root);
    const ink = (name) => style.getPropertyValue(name).trim();
    const x = (row) => 6 + (place[Math.min(row, rows.length)] / Math.max(visible.length, 1)) * (wide - 12);
    pen.scale(scale, scale);
    const box = $("scroll"), share = (wide - 12) / Math.max(visible.length * HEIGHT, 1);
    pen.fillStyle = ink("--faint");
    pen.fillRect(6 + box.scrollTop * share, 0, Math.max(box.clientHeight * share, 4), tall);
    const y = (column) => 5 + column * lane;
    columns.forEach((_, k) => {
      pen.fillStyle = ink("--line");
      pen.fillRect(6, y(k) + lane / 2 - 0.5, wide - 12, 1);
    });
    for (const bar of bars) {
      const high = Math.max(lane - 3 - 2 * bar.level, 2);
      pen.fillStyle = ink(bar.partner < 0 ? "--dim" : `--c${bar.partner % 8}`);
      pen.globalAlpha = bar.out ? 0.28 : 0.7;
      pen.fillRect(x(bar.begin), y(bar.column) + (lane - high) / 2, Math.max(x(bar.end) - x(bar.begin), 1), high);
    }
    pen.globalAlpha = 1;
    pen.fillStyle = ink("--bad");
    for (const finding of findings) {
      const column = finding.row === null ? -1 : rows[finding.row].from;
      if (column < 0) continue;
      const to = x(finding.row), from = finding.lost === null ? to : Math.min(x(finding.lost), to);
      pen.fillRect(from, y(column) + 1, Math.max(to - from, 2), lane - 3);
      pen.fillRect(to, 0, 1.5, tall);
    }
  }
  $("overview").onclick = (event) => {
    const wide = $("overview").clientWidth - 12;
    const at = ((event.offsetX - 6) / wide) * visible.length * HEIGHT;
    $("scroll").scrollTop = at - $("scroll").clientHeight / 2;
  };

  // -- choosing ---------------------------------------------------------------

  function select(k, quietly) {
    state.selected = k;
    const row = rows[k];
    if (row.finding !== undefined) showFinding(findings.find((each) => each.id === row.finding));
    else { mark(null); showRow(row); }
    if (!quietly) setHash(row.finding !== undefined ? row.finding : row.event === undefined ? "" : `event-${row.event}`);
    reveal(k);
    paint(true);
  }
  function reveal(k) {
    const box = $("scroll"), at = place[k] * HEIGHT;
    if (at < box.scrollTop + 8 || at + HEIGHT > box.scrollTop + box.clientHeight - 48) {
      box.scrollTop = Math.max(0, at - box.clientHeight / 2);
    }
  }
  function choose(finding, quietly) {
    if (finding.row === null) { mark(finding); showFinding(finding); return; }
    if (!visible.includes(finding.row)) { $("search").value = ""; state.column = null; filter(); }
    select(finding.row, quietly);
  }
  function mark(finding) {
    state.finding = finding;
    for (const button of $("findings").querySelectorAll("button")) {
      button.setAttribute("aria-current", String(finding !== null && button.dataset.id === finding.id));
    }
  }
  function setHash(text) {
    try { history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search); } catch { /* a frame may not */ }
  }

  // -- details ----------------------------------------------------------------

  function showRow(row) {
    const parts = [];
    const name = (column) => (column >= 0 ? columns[column].name : "kernel");
    if (row.kind === "message") {
      parts.push(make("h3", "", `${name(row.from)} → ${name(row.to)}`), when(row, row.title));
      parts.push(make("h2", "", "Words"));
      if (row.words.length) {
        const lost = lostIn.get(rows.indexOf(row)) || new Set();
        parts.push(table(["", "sent", "was there before"], row.words.map((word, k) => make("tr", lost.has(k) ? "here" : "",
          cell(`mr[${k}]`), cell(word), cell(row.had[k], row.had[k] !== word && row.had[k] !== "0x0" ? "was" : "")))));
      } else parts.push(make("p", "none", "It has no words."));
      const lives = bars.filter((bar) => !bar.out && bar.column === row.to && rows[bar.begin] === row);
      if (lives.length) parts.push(make("h2", "", "Life"), ...lives.map((bar) => make("p", "", titleOf(bar))));
      if (row.items) parts.push(make("h2", "", "Items"), lines(row.items));
      parts.push(make("h2", "", "Message"), pairs(factsOf(row)));
    } else {
      parts.push(make("h3", "", row.kind === "console" ? `${name(row.from)} writes to the log` : row.title), when(row, row.kind === "gap" ? "" : name(row.from)));
      if (row.kind === "console") parts.push(make("code", "instruction", row.title));
      if (row.words && row.words.length) {
        parts.push(make("h2", "", "Words"), table(["", "sent"], row.words.map((word, k) => make("tr", "", cell(`mr[${k}]`), cell(word)))));
      }
      if (row.lines && row.lines.length) parts.push(make("h2", "", "Event"), lines(row.lines));
    }
    $("details").replaceChildren(...parts);
  }
  const lines = (list) => make("pre", "lines", list.join("\n"));
  function when(row, text) {
    const event = row.event === undefined ? [] : [`event ${row.event}`];
    const time = row.position ? [`position ${row.position}`, `cycle ${row.cycle}`] : [];
    return make("p", "when", [text, ...event, ...time].filter(Boolean).join(" · "));
  }
  function stack(frames) {
    return make("ol", "stack", ...frames.map((frame, k) => make("li", "",
      make("b", "", `#${k}`),
      make("span", "", make("strong", "", frame.function || "?"), frame.inlined ? " (inlined)" : "",
        make("span", "where", `  ${frame.file ? `${frame.file}:${frame.line}` : frame.pc}`),
        frame.source ? make("code", "", frame.source) : null))));
  }
  function access(title, what) {
    if (!what) return [];
    return [make("h2", "", title), what.instruction ? make("code", "instruction", what.instruction) : null, stack(what.stack)];
  }
  function step(className, text, row) {
    const item = make("li", className, text, " ");
    if (row !== null && row !== undefined && row >= 0) {
      const button = make("button", "", "show");
      button.type = "button";
      button.onclick = () => { if (!visible.includes(row)) { $("search").value = ""; state.column = null; filter(); } state.selected = row; reveal(row); paint(true); };
      item.append(button);
    }
    return item;
  }
  function story(finding) {
    const found = [];
    const { message, clobber } = finding;
    const words = (each) => `${each.words.length} word${each.words.length === 1 ? "" : "s"}`;
    if (message) {
      const bar = barOf.get(message.id);
      found.push(step("", `${message.id}, ${words(message)}, comes from ${message.sender || "?"} to ${message.receiver || "?"}${message.via ? ` through ${message.via}` : ""}`, bar ? bar.begin : null));
    }
    if (clobber) {
      const by = clobber.stores.length ? clobber.stores[0].stack : clobber.call ? clobber.call.stack : [];
      const other = clobber.message ? `, for ${clobber.message.id} ${clobber.message.sender} → ${clobber.message.receiver}` : "";
      found.push(step("lost", `${by.length ? by[0].function : "The kernel"} overwrites ${finding.register}${other}`, finding.lost));
    }
    const what = finding.access && finding.access.instruction ? "reads" : "uses";
    const values = finding.actual ? `: ${finding.actual}${finding.expected ? `, not ${finding.expected}` : ""}` : "";
    found.push(step("bad", `${finding.function || finding.thread} ${what} ${finding.register}${values}`, finding.row));
    return make("ol", "steps", ...found);
  }
  function wordTable(finding) {
    const from = finding.message && finding.message.sender ? `${finding.message.sender} sent` : "sent";
    return table(["", from, "now", "state", "written by"], finding.words.map((word) => make("tr", word.here ? "here" : "",
      cell(word.register), cell(word.delivered || "·", word.here ? "want" : ""), cell(word.now, word.here ? "wrong" : ""),
      make("td", "", make("span", `state ${/^[A-Za-z]+$/.test(word.state) ? word.state : ""}`, word.state)), cell(word.writer, "wrap"))));
  }
  function showFinding(finding) {
    mark(finding);
    const head = make("h3", "", `${finding.id} ${finding.rule} of ${finding.register}`);
    const times = finding.count > 1 ? ` · seen ${finding.count} times` : "";
    const parts = [
      head,
      make("p", "when", make("span", `verdict ${/^[a-z]+$/.test(finding.verdict) ? finding.verdict : ""}`, finding.verdict), ` · ${finding.thread} · ${finding.function}${finding.file ? ` ${finding.file}:${finding.line}` : ""}${times}`),
      make("p", "summary", finding.summary),
      story(finding),
    ];
    if (finding.words.length) parts.push(make("h2", "", "Words of the UTCB"), wordTable(finding));
    parts.push(...access("The access", finding.access));
    if (finding.clobber) {
      finding.clobber.stores.slice(0, 3).forEach((store) => parts.push(...access("Overwritten by", store)));
      parts.push(...access("In the system call", finding.clobber.call));
    }
    if (finding.consequences.length) {
      parts.push(make("h2", "", "What it changed"), table(["", "is", "would be"], finding.consequences.map((each) => make("tr", "",
        cell(each.what, "wrap"), cell(each.actual, "wrong"), cell(each.expected, "want")))));
    }
    if (finding.cure) parts.push(make("h2", "", "What helps"), make("p", "cure", finding.cure));
    if (finding.help) parts.push(make("h2", "", "The rule"), make("p", "help", `${finding.title} ${finding.help}`));
    const sure = [["attribution", finding.attribution], ["effect", finding.effect], ...finding.checks.map((check) => [check.what, check.result])];
    if (finding.suppressed) sure.push(["suppressed", finding.suppressed]);
    parts.push(make("h2", "", "How sure this is"), pairs(sure.filter((pair) => pair[1])));
    $("details").replaceChildren(...parts.filter((part) => part !== null));
    $("details").scrollTop = 0;
  }

  // -- the page around it -----------------------------------------------------

  function begin() {
    $("title").textContent = report.title;
    for (const [what, text] of report.facts) {
      if (what === "outcome") {
        $("outcome").textContent = text;
        $("outcome").classList.add(/^[a-z]+$/.test(text) ? text : "other");
      } else $("facts").append(make("div", "", make("dt", "", what), make("dd", what === "trace" ? "mono" : "", text)));
    }
    if (report.notes.length) { $("notes").textContent = report.notes.join("\n"); $("notes").hidden = false; }
    for (const finding of findings) {
      const button = make("button", `finding ${/^[a-z]+$/.test(finding.verdict) ? finding.verdict : ""}`,
        make("b", "", `${finding.id} ${finding.rule}`, make("i", `verdict ${/^[a-z]+$/.test(finding.verdict) ? finding.verdict : ""}`, finding.verdict)),
        make("span", "", `${finding.thread} · ${finding.register} in ${finding.function || "unknown code"}`));
      button.type = "button";
      button.dataset.id = finding.id;
      button.onclick = () => choose(finding);
      $("findings").append(button);
    }
    if (!findings.length) $("findings").append(make("p", "none", "There are none."));
    for (const [kind, name] of KINDS) {
      const count = rows.filter((row) => row.kind === kind).length;
      const button = make("button", "", `${name} ${count}`);
      button.type = "button";
      button.setAttribute("aria-pressed", String(state.kinds.has(kind)));
      button.onclick = () => {
        if (!state.kinds.delete(kind)) state.kinds.add(kind);
        button.setAttribute("aria-pressed", String(state.kinds.has(kind)));
        filter();
      };
      $("kinds").append(button);
    }
    $("details").append(make("p", "hint", "Choose a row or a finding to see all of it."));
    $("filter").onsubmit = (event) => event.preventDefault();
    $("search").oninput = () => { $("scroll").scrollTop = 0; filter(); };
    $("scroll").onscroll = () => { paint(false); requestAnimationFrame(overview); };
    window.onresize = layout;
    document.onkeydown = key;
    theme();
    filter();
    open();
    window.onhashchange = open;
  }
  function open() {
    let wanted = "";
    try { wanted = decodeURIComponent(location.hash.slice(1)); } catch { /* no text */ }
    const finding = findings.find((each) => each.id === wanted);
    const row = rows.findIndex((each) => each.event !== undefined && `event-${each.event}` === wanted);
    if (finding) choose(finding, true);
    else if (row >= 0) select(row, true);
    else if (!wanted && findings.length) choose(findings[0], true);
  }
  function move(by) {
    if (!visible.length) return;
    const at = state.selected < 0 ? -1 : place[state.selected];
    const next = Math.max(0, Math.min(visible.length - 1, state.selected < 0 ? 0 : at + by));
    select(visible[next]);
  }
  function key(event) {
    const typing = event.target === $("search");
    if (event.key === "Escape") { $("search").value = ""; state.column = null; filter(); $("rows").focus({ preventScroll: true }); return; }
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor($("scroll").clientHeight / HEIGHT) - 2);
    const moves = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1, PageDown: page, PageUp: -page, Home: -rows.length, End: rows.length };
    if (event.key in moves && (document.activeElement === $("rows") || document.activeElement === document.body)) move(moves[event.key]);
    else if (event.key === "/") $("search").focus();
    else if (event.key === "n" || event.key === "p") {
      if (!findings.length) return;
      const at = findings.indexOf(state.finding), by = event.key === "n" ? 1 : findings.length - 1;
      choose(findings[at < 0 ? 0 : (at + by) % findings.length]);
    } else if (event.key === "t") $("theme").click();
    else return;
    event.preventDefault();
  }
  function theme() {
    const dark = window.matchMedia("(prefers-color-scheme: dark)");
    let wanted = null;
    try { wanted = localStorage.getItem("l4lab-theme"); } catch { /* no store here */ }
    const apply = () => {
      root.dataset.theme = wanted === "dark" || wanted === "light" ? wanted : dark.matches ? "dark" : "light";
      $("theme").textContent = root.dataset.theme === "dark" ? "Light" : "Dark";
      if (rows.length) overview();
    };
    dark.addEventListener("change", apply);
    $("theme").onclick = () => {
      wanted = root.dataset.theme === "dark" ? "light" : "dark";
      try { localStorage.setItem("l4lab-theme", wanted); } catch { /* no store here */ }
      apply();
    };
    place = new Array(rows.length + 1).fill(0);
    apply();
  }
  begin();
})();
