"use strict";
/* The page at /: searches series and plots ranges of them. It asks /v1/series and /v1/range as any client does; the token that is
 * typed in lives in the tab's sessionStorage, goes out as a header, and is never part of a URL. */

const CHOSEN_MAX = 8, COLOURS = 8, PAGE_SERIES = 50, TABLE_ROWS = 500;
const PLOT_HEIGHT = 240, STATE_HEIGHT = 34, MARGIN = { left: 64, right: 12, top: 10, bottom: 24 };
const GAP_MS = 45 * 60000;   // where no cadence is declared and none can be seen
const byId = (id) => document.getElementById(id);

const state = {
  token: sessionStorage.getItem("almanac-token") || "",
  chosen: [],                // series as the catalog tells them
  from: 0, to: 0,            // milliseconds
  answers: new Map(),        // id: what is plotted of it
  asking: null,              // AbortController of the answers under way
  search: { words: "", next: null },
  cursor: null, width: 800, scales: [],
};

// ---- asking ----

async function ask(path, parameters, signal) {
  const headers = state.token ? { Authorization: "Bearer " + state.token } : {};
  const query = new URLSearchParams(parameters).toString();
  const answer = await fetch(path + (query ? "?" + query : ""), { headers, signal, cache: "no-cache", referrerPolicy: "no-referrer" });
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  if (answer.status === 401) throw new Error(state.token ? problem.detail || "The token is not known here." : "Type in a token first.");
  throw new Error(problem.detail || "The server answered with status " + answer.status + ".");
}

function say(text, is_fault = false) {
  byId("message").textContent = text;
  byId("message").classList.toggle("fault", is_fault);
}

/* Runs something that asks; what goes wrong is told, what was overtaken is not. */
async function trying(work) {
  try {
    await work();
  } catch (error) {
    if (error.name !== "AbortError") say(error.message, true);
  }
}

// ---- times ----

const pad = (number, size = 2) => String(number).padStart(size, "0");
const inUtc = () => byId("utc").checked;
const zone = () => inUtc() ? "UTC" : Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

function parts(ms) {
  const t = new Date(ms), get = (name) => inUtc() ? t["getUTC" + name]() : t["get" + name]();
  return { year: get("FullYear"), month: get("Month") + 1, day: get("Date"), hour: get("Hours"), minute: get("Minutes"),
    second: get("Seconds"), ms: t.getUTCMilliseconds() };
}

function printed(ms) {
  const p = parts(ms), fraction = p.ms ? "." + pad(p.ms, 3) : "";
  return `${pad(p.year, 4)}-${pad(p.month)}-${pad(p.day)} ${pad(p.hour)}:${pad(p.minute)}:${pad(p.second)}${fraction}`;
}

const toInput = (ms) => printed(Math.floor(ms / 1000) * 1000).replace(" ", "T");
const fromInput = (text) => Date.parse(inUtc() ? text + "Z" : text);
const iso = (ms) => new Date(ms).toISOString();

/* A fixed ISO 8601 duration in milliseconds, or 0. */
function duration(text) {
  const found = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?$/.exec(text || "");
  if (!found) return 0;
  const [days, hours, minutes, seconds] = found.slice(1).map((number) => Number(number || 0));
  return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000;
}

// ---- searching ----

async function search(more) {
  if (!more) state.search = { words: byId("words").value.trim(), next: null };
  const parameters = { limit: PAGE_SERIES };
  if (state.search.words) parameters.q = state.search.words;
  if (more && state.search.next) parameters.cursor = state.search.next;
  const found = await (await ask("/v1/series", parameters)).json();
  if (!more) byId("found").replaceChildren();
  const before = byId("found").children.length;
  for (const series of found.series) byId("found").append(foundItem(series));
  state.search.next = found.next;
  byId("more").hidden = !found.next;
  const n = byId("found").children.length;
  say(n ? `${n}${found.next ? " and more" : ""} series` : "No series has all of these words.");
  if (more && n > before) byId("found").children[before].querySelector("input").focus();
}

function foundItem(series) {
  const item = document.createElement("li"), label = document.createElement("label"), box = document.createElement("input");
  const more = document.createElement("small");
  box.type = "checkbox";
  box.dataset.id = series.id;
  box.checked = state.chosen.some((one) => one.id === series.id);
  box.addEventListener("change", () => box.checked ? choose(series, box) : drop(series.id));
  more.textContent = `${series.type}, ${series.kind}${series.unit ? ", " + series.unit : ""}; ${series.count} readings` +
    (series.first ? `, ${series.first.slice(0, 10)} to ${series.last.slice(0, 10)}` : "");
  label.append(box, ` ${series.entity} ${series.property}`, more);
  item.append(label);
  return item;
}

function choose(series, box) {
  if (state.chosen.length === CHOSEN_MAX) {
    box.checked = false;
    say(`At most ${CHOSEN_MAX} series are plotted at once.`);
    return;
  }
  const used = new Set(state.chosen.map((one) => one.colour));
  series.colour = [...Array(COLOURS).keys()].find((colour) => !used.has(colour));
  state.chosen.push(series);
  if (state.to <= state.from) showSpan(7 * 86400);
  listChosen();
  trying(plot);
}

function drop(id) {
  state.chosen = state.chosen.filter((one) => one.id !== id);
  state.answers.delete(id);
  for (const box of document.querySelectorAll("#found input")) if (Number(box.dataset.id) === id) box.checked = false;
  listChosen();
  keepPlace();
  draw();
}

function listChosen() {
  byId("chosen").replaceChildren(...state.chosen.map((series) => {
    const item = document.createElement("li"), button = document.createElement("button");
    item.className = "c" + series.colour;
    button.type = "button";
    button.textContent = "×";
    button.setAttribute("aria-label", `Leave out ${series.entity} ${series.property}`);
    button.addEventListener("click", () => drop(series.id));
    item.append(`${series.entity} ${series.property}${series.unit ? " [" + series.unit + "]" : ""}`, button);
    return item;
  }));
  byId("csv").disabled = !state.chosen.length;
}

// ---- which time ----

function setRange(from, to) {
  state.from = Math.max(Math.round(from), Date.parse("0001-01-02T00:00:00Z"));
  state.to = Math.max(Math.round(to), state.from + 1000);
  byId("from").value = toInput(state.from);
  byId("to").value = toInput(state.to);
  state.cursor = null;
}

/* The last so many seconds that the chosen series have, or all. */
function showSpan(seconds) {
  const with_readings = state.chosen.filter((series) => series.first);
  if (!with_readings.length) return;
  const last = Math.max(...with_readings.map((series) => Date.parse(series.last))) + 1000;
  const first = Math.min(...with_readings.map((series) => Date.parse(series.first)));
  setRange(seconds === "all" ? first : last - seconds * 1000, last);
}

function zoom(factor, centre = (state.from + state.to) / 2) {
  setRange(centre - (centre - state.from) * factor, centre + (state.to - centre) * factor);
  trying(plot);
}

function move(share) {
  const span = state.to - state.from;
  setRange(state.from + share * span, state.to + share * span);
  trying(plot);
}

/* The part behind # stays in the browser: a place to come back to, and nothing secret. */
function keepPlace() {
  const place = new URLSearchParams();
  if (state.chosen.length) {
    place.set("s", state.chosen.map((series) => series.id).join(","));
    place.set("from", iso(state.from));
    place.set("to", iso(state.to));
  }
  history.replaceState(null, "", "#" + place.toString());
}

async function comeBack() {
  const place = new URLSearchParams(location.hash.slice(1));
  const from = Date.parse(place.get("from")), to = Date.parse(place.get("to"));
  const ids = (place.get("s") || "").split(",").filter((id) => /^\d+$/.test(id)).slice(0, CHOSEN_MAX);
  if (!ids.length || !(from < to)) return;
  for (const [colour, id] of ids.entries()) {
    const series = await (await ask("/v1/series/" + id)).json();
    state.chosen.push(Object.assign(series, { colour }));
  }
  setRange(from, to);
  listChosen();
  await plot();
}

// ---- the answers ----

function isReadings(series) {
  const form = byId("form").value;
  return series.kind !== "state" && (form === "readings" || (form === "kind" && series.kind === "gauge"));
}

async function askSeries(series, signal) {
  const points = Math.max(50, Math.round(state.width - MARGIN.left - MARGIN.right));
  const readings = isReadings(series);
  const parameters = { series: series.id, from: iso(state.from), to: iso(state.to) };
  if (readings) Object.assign(parameters, { reduce: "m4", points });
  else Object.assign(parameters, { step: "auto", points: series.kind === "gauge" || series.kind === "state" ? points : Math.ceil(points / 6),
    tz: zone() });
  const answer = await (await ask("/v1/range", parameters, signal)).json();
  const found = answer.series[0] || { columns: ["time"], rows: [] };
  return { series, readings, points, step: answer.step, unit: found.unit || "", columns: found.columns,
    rows: found.rows.map((row) => [Date.parse(row[0]), ...row.slice(1)]) };
}

async function plot() {
  if (!state.chosen.length) {
    say("Choose a series first.");
    return;
  }
  if (state.asking) state.asking.abort();
  const asking = state.asking = new AbortController();
  state.width = Math.max(280, byId("plots").clientWidth);
  keepPlace();
  const told = await Promise.allSettled(state.chosen.map((series) => askSeries(series, asking.signal)));
  if (asking !== state.asking) return;
  state.answers.clear();
  const faults = new Set();
  for (const [i, one] of told.entries()) {
    if (one.status === "fulfilled") state.answers.set(state.chosen[i].id, one.value);
    else faults.add(one.reason.message);
  }
  const steps = [...new Set([...state.answers.values()].map((one) => one.step).filter(Boolean))];
  say([...faults].join(" ") || (steps.length ? `Steps of ${steps.join(", ")}` : "Readings"), faults.size > 0);
  draw();
}

/* Readings farther apart than this are not joined: three cadences, the declared one or the usual one here. What was thinned out has
 * little more than the ends of each column, and what is nearer than two columns is not seen to be apart. */
function gapOf(answer) {
  const rows = answer.rows, declared = duration(answer.series.cadence);
  const column = (state.to - state.from) / answer.points;
  const apart = rows.slice(1).map((row, i) => row[0] - rows[i][0]).sort((a, b) => a - b);
  const usual = declared || apart[apart.length >> 1] || GAP_MS / 3;
  return Math.max(3 * usual, 2 * column);
}

// ---- drawing ----

const SVG = "http://www.w3.org/2000/svg";

function make(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

const x = (ms) => MARGIN.left + (ms - state.from) / (state.to - state.from) * (state.width - MARGIN.left - MARGIN.right);
const msAt = (px) => state.from + (px - MARGIN.left) / (state.width - MARGIN.left - MARGIN.right) * (state.to - state.from);
const isNumber = (value) => typeof value === "number";

/* Round steps of which about n fit. */
function ticks(low, high, n) {
  const rough = (high - low) / n, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((k) => k >= rough);
  const found = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) found.push(Number((i * step).toPrecision(12)));
  return found;
}

const TIME_STEPS = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2678400,
  7948800, 15897600, 31622400, 63244800, 158112000, 316224000];

/* Instants that are round in the zone shown, with what is written there: at least two where there are any. */
function timeTicks() {
  const n = Math.max(2, Math.floor((state.width - MARGIN.left) / 110)), rough = (state.to - state.from) / n / 1000;
  const steps = TIME_STEPS.filter((seconds) => seconds < 2 * rough).reverse();
  return steps.map(ticksOf).find((found) => found.length > 1) || [];
}

function ticksOf(step) {
  const found = [];
  const begin = parts(state.from), second = begin.hour * 3600 + begin.minute * 60 + begin.second;
  const at = (...date) => inUtc() ? Date.UTC(...date) : new Date(...date).getTime();
  const months = Math.round(step / 2678400), days = Math.round(step / 86400);
  for (let i = 0; i < 200; i++) {
    let ms;
    if (step >= 2678400) ms = at(begin.year, months * i);
    else if (step >= 86400) ms = at(begin.year, begin.month - 1, 1 + days * i);
    else ms = at(begin.year, begin.month - 1, begin.day, 0, 0, step * i + Math.floor(second / step) * step);
    if (ms > state.to) break;
    if (ms < state.from) continue;
    const text = printed(ms);
    found.push([ms, step >= 31622400 ? text.slice(0, 4) : step >= 2678400 ? text.slice(0, 7) : step >= 86400 ? text.slice(5, 10)
      : step >= 60 ? (text.slice(11, 16) === "00:00" ? text.slice(5, 10) : text.slice(11, 16)) : text.slice(11, 19)]);
  }
  return found;
}

function values(answer) {
  return answer.rows.flatMap((row) => row.slice(1).filter(isNumber));
}

/* The runs of rows between which there is nothing. */
function runs(answer) {
  const gap = answer.readings ? gapOf(answer) : Infinity, found = [];
  let run = [];
  for (const row of answer.rows) {
    const is_there = isNumber(row[1]);
    if (run.length && (!is_there || row[0] - run[run.length - 1][0] > gap)) {
      found.push(run);
      run = [];
    }
    if (is_there) run.push(row);
  }
  if (run.length) found.push(run);
  return found;
}

const path = (rows, y, column = 1) => rows.map((row, i) => `${i ? "L" : "M"}${x(row[0]).toFixed(1)} ${y(row[column]).toFixed(1)}`).join("");

function drawLines(svg, answer, y) {
  const low = answer.columns.indexOf("min"), high = answer.columns.indexOf("max"), colour = "c" + answer.series.colour;
  for (const run of runs(answer)) {
    if (low > 0 && high > 0)
      svg.append(make("path", { class: `band ${colour}`, d: path(run, y, high) + path([...run].reverse(), y, low).replace("M", "L") + "Z" }));
    if (run.length === 1) svg.append(make("circle", { class: `dot ${colour}`, cx: x(run[0][0]), cy: y(run[0][1]), r: 2 }));
    else svg.append(make("path", { class: `line ${colour}`, d: path(run, y) }));
  }
}

/* Amounts of time as bars from one start to the next. */
function drawBars(svg, answer, y) {
  answer.rows.forEach((row, i) => {
    if (!isNumber(row[1])) return;
    const left = x(Math.max(row[0], state.from)), right = x(i + 1 < answer.rows.length ? answer.rows[i + 1][0] : state.to);
    const top = y(Math.max(row[1], 0)), bottom = y(Math.min(row[1], 0));
    svg.append(make("rect", { class: `bar c${answer.series.colour}`, x: left, width: Math.max(right - left - 0.5, 0.5), y: top,
      height: Math.max(bottom - top, 0.5) }));
  });
}

const isBars = (answer) => !answer.readings && (answer.series.kind === "counter" || answer.series.kind === "interval");

function drawTimes(svg, height) {
  for (const [ms, text] of timeTicks()) {
    svg.append(make("line", { class: "grid", x1: x(ms), x2: x(ms), y1: MARGIN.top, y2: height - MARGIN.bottom }));
    svg.append(make("text", { x: x(ms), y: height - 7, "text-anchor": "middle" }, text));
  }
}

function newSvg(height, label) {
  const svg = make("svg", { viewBox: `0 0 ${state.width} ${height}`, role: "img", "aria-label": label });
  drawTimes(svg, height);
  return svg;
}

function drawNumbers(unit, answers) {
  const all = answers.flatMap(values), names = answers.map((one) => `${one.series.entity} ${one.series.property}`).join(", ");
  const svg = newSvg(PLOT_HEIGHT, `${names}${unit ? " in " + unit : ""}`);
  if (!all.length) {
    svg.append(make("text", { x: state.width / 2, y: PLOT_HEIGHT / 2, "text-anchor": "middle" }, "Nothing in this time"));
    return svg;
  }
  let low = all.reduce((a, b) => Math.min(a, b)), high = all.reduce((a, b) => Math.max(a, b));
  if (answers.some(isBars)) [low, high] = [Math.min(low, 0), Math.max(high, 0)];
  if (low === high) [low, high] = [low - (Math.abs(low) || 1) / 10, high + (Math.abs(high) || 1) / 10];
  const bottom = PLOT_HEIGHT - MARGIN.bottom;
  const y = (value) => bottom - (value - low) / (high - low) * (bottom - MARGIN.top);
  for (const value of ticks(low, high, 5)) {
    svg.append(make("line", { class: "grid", x1: MARGIN.left, x2: state.width - MARGIN.right, y1: y(value), y2: y(value) }));
    svg.append(make("text", { x: MARGIN.left - 6, y: y(value) + 4, "text-anchor": "end" }, String(value)));
  }
  svg.append(make("text", { x: 4, y: 12 }, unit));
  for (const answer of answers) (isBars(answer) ? drawBars : drawLines)(svg, answer, y);
  return svg;
}

/* States as stretches, those that are equal joined. */
function drawStates(answer) {
  const height = STATE_HEIGHT + MARGIN.top + MARGIN.bottom;
  const svg = newSvg(height, `${answer.series.entity} ${answer.series.property}`), names = [];
  for (let i = 0; i < answer.rows.length;) {
    const [begin, text] = answer.rows[i];
    let end = i + 1;
    while (end < answer.rows.length && answer.rows[end][1] === text) end++;
    const left = x(Math.max(begin, state.from)), right = x(end < answer.rows.length ? answer.rows[end][0] : state.to);
    i = end;
    if (text === null) continue;
    if (!names.includes(text)) names.push(text);
    svg.append(make("rect", { class: `state c${answer.series.colour} s${names.indexOf(text) % 4}`, x: left, width: Math.max(right - left, 1),
      y: MARGIN.top, height: STATE_HEIGHT }));
    if (right - left > 8 * text.length) svg.append(make("text", { x: left + 4, y: MARGIN.top + 21 }, text));
  }
  return svg;
}

function draw() {
  const answers = state.chosen.map((series) => state.answers.get(series.id)).filter(Boolean), units = new Map();
  for (const answer of answers.filter((one) => one.series.kind !== "state"))
    units.set(answer.unit, [...(units.get(answer.unit) || []), answer]);
  byId("plots").replaceChildren(...[...units].map(([unit, some]) => drawNumbers(unit, some)),
    ...answers.filter((one) => one.series.kind === "state").map(drawStates));
  byId("reading").textContent = "";
  if (byId("figures").open) drawTables();
}

// ---- figures ----

function rowText(answer, row) {
  const unit = answer.unit ? " " + answer.unit : "";
  return answer.columns.slice(1).map((name, i) => [name, row[i + 1]]).filter(([name, value]) => name !== "quality" && value !== null)
    .map(([name, value]) => (name === "value" ? "" : name + " ") + value + (isNumber(value) ? unit : "")).join(", ") || "nothing";
}

/* The reading nearest to an instant, or the step that it lies in. */
function rowAt(answer, ms) {
  let low = 0, high = answer.rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (answer.rows[middle][0] <= ms) low = middle + 1;
    else high = middle;
  }
  const before = answer.rows[low - 1], after = answer.rows[low];
  if (!answer.readings || !before || !after) return before || (answer.readings ? after : undefined);
  return ms - before[0] <= after[0] - ms ? before : after;
}

function setCursor(ms) {
  state.cursor = Math.min(Math.max(ms, state.from), state.to);
  for (const svg of document.querySelectorAll("#plots svg")) {
    svg.querySelectorAll(".cursor").forEach((one) => one.remove());
    const height = svg.viewBox.baseVal.height;
    svg.append(make("line", { class: "cursor", x1: x(state.cursor), x2: x(state.cursor), y1: MARGIN.top, y2: height - MARGIN.bottom }));
  }
  byId("reading").textContent = [printed(state.cursor) + (inUtc() ? " UTC" : ""), ...[...state.answers.values()].map((answer) => {
    const row = rowAt(answer, state.cursor);
    return `${answer.series.entity} ${answer.series.property}: ${row ? `${rowText(answer, row)} at ${printed(row[0])}` : "nothing"}`;
  })].join("\n");
}

/* The next or the previous row of any series. */
function stepCursor(forward) {
  const now = state.cursor ?? (forward ? state.from - 1 : state.to);
  const all = [...state.answers.values()].flatMap((answer) => answer.rows.map((row) => row[0]));
  const beyond = all.filter((ms) => ms >= state.from && (forward ? ms > now : ms < now));
  if (beyond.length) setCursor(beyond.reduce((a, b) => forward ? Math.min(a, b) : Math.max(a, b)));
}

function drawTables() {
  byId("tables").replaceChildren(...[...state.answers.values()].map((answer) => {
    const table = document.createElement("table"), rows = answer.rows.slice(0, TABLE_ROWS);
    const more = answer.rows.length > rows.length ? `, the first ${rows.length} of ${answer.rows.length} rows` : "";
    table.createCaption().textContent = `${answer.series.entity} ${answer.series.property}${answer.unit ? " [" + answer.unit + "]" : ""}${more}`;
    const head = table.createTHead().insertRow();
    for (const name of answer.columns) head.append(Object.assign(document.createElement("th"), { scope: "col", textContent: name }));
    const body = table.createTBody();
    for (const row of rows) {
      const line = body.insertRow();
      line.insertCell().textContent = printed(row[0]);
      for (const value of row.slice(1)) line.insertCell().textContent = value ?? "";
    }
    return table;
  }));
}

/* Fetched with the header, since a plain link could carry the token only in its URL. */
async function download() {
  byId("csv").disabled = true;
  say("Fetching…");
  try {
    const parameters = [["format", "csv"], ["from", iso(state.from)], ["to", iso(state.to)], ["tz", zone()],
      ...state.chosen.map((series) => ["series", series.id])];
    const url = URL.createObjectURL(await (await ask("/v1/range", parameters)).blob());
    const link = Object.assign(document.createElement("a"), { href: url, download: `almanac-${iso(state.from).slice(0, 10)}.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
    say("The file is with your browser's downloads.");
  } finally {
    byId("csv").disabled = false;
  }
}

// ---- what the user does ----

function onPointer() {
  const plots = byId("plots");
  let begin = null;
  const at = (event) => {
    const svg = event.target.closest("svg") || plots.querySelector("svg"), box = svg && svg.getBoundingClientRect();
    return box ? msAt((event.clientX - box.left) / box.width * state.width) : null;
  };
  const unmark = () => plots.querySelectorAll(".drag").forEach((one) => one.remove());
  plots.addEventListener("pointerdown", (event) => {
    begin = event.button === 0 && event.pointerType === "mouse" ? at(event) : null;
    if (event.pointerType !== "mouse" && at(event) !== null) setCursor(at(event));
  });
  plots.addEventListener("pointermove", (event) => {
    const ms = at(event);
    if (ms === null) return;
    setCursor(ms);
    unmark();
    if (begin === null) return;
    for (const svg of plots.querySelectorAll("svg"))
      svg.append(make("rect", { class: "drag", x: x(Math.min(begin, ms)), width: Math.abs(x(ms) - x(begin)), y: MARGIN.top,
        height: svg.viewBox.baseVal.height - MARGIN.top - MARGIN.bottom }));
  });
  window.addEventListener("pointerup", (event) => {
    const ms = begin === null ? null : at(event), from = begin;
    begin = null;
    unmark();
    if (ms !== null && Math.abs(x(ms) - x(from)) > 8) {
      setRange(Math.min(from, ms), Math.max(from, ms));
      trying(plot);
    }
  });
}

function onKey(event) {
  const keys = {
    ArrowLeft: () => event.shiftKey ? move(-0.5) : stepCursor(false),
    ArrowRight: () => event.shiftKey ? move(0.5) : stepCursor(true),
    "+": () => zoom(0.5, state.cursor ?? undefined), "=": () => zoom(0.5, state.cursor ?? undefined),
    "-": () => zoom(2, state.cursor ?? undefined),
  };
  if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  keys[event.key]();
}

function setToken(token) {
  state.token = token;
  if (token) sessionStorage.setItem("almanac-token", token);
  else sessionStorage.removeItem("almanac-token");
  byId("token").value = "";
  byId("forget").hidden = !token;
}

function listen() {
  const on = (id, event, work) => byId(id).addEventListener(event, (what) => {
    what.preventDefault();
    trying(work);
  });
  on("login", "submit", async () => {
    setToken(byId("token").value.trim());
    await search(false);
    byId("words").focus();
  });
  byId("forget").addEventListener("click", () => {
    setToken("");
    state.chosen = [];
    state.answers.clear();
    for (const id of ["found", "chosen", "plots", "tables"]) byId(id).replaceChildren();
    byId("reading").textContent = "";
    byId("more").hidden = true;
    keepPlace();
    say("The token is forgotten.");
    byId("token").focus();
  });
  on("search", "submit", () => search(false));
  on("more", "click", () => search(true));
  on("range", "submit", async () => {
    const from = fromInput(byId("from").value), to = fromInput(byId("to").value);
    if (!(from < to)) throw new Error("The end is not behind the beginning.");
    setRange(from, to);
    await plot();
  });
  byId("utc").addEventListener("change", () => {
    if (state.from < state.to) setRange(state.from, state.to);
    if (state.chosen.length) trying(plot);
  });
  on("form", "change", plot);
  on("csv", "click", download);
  byId("figures").addEventListener("toggle", () => byId("figures").open && drawTables());
  for (const button of document.querySelectorAll("[data-span], [data-move], [data-zoom]"))
    button.addEventListener("click", () => {
      const { span, move: share, zoom: factor } = button.dataset;
      if (!state.chosen.length) return say("Choose a series first.");
      if (share) move(Number(share));
      else if (factor) zoom(Number(factor));
      else {
        showSpan(span === "all" ? span : Number(span));
        trying(plot);
      }
    });
  byId("plots").addEventListener("keydown", onKey);
  onPointer();
  let resized;
  window.addEventListener("resize", () => {
    clearTimeout(resized);
    resized = setTimeout(() => state.chosen.length && Math.abs(byId("plots").clientWidth - state.width) > 20 && trying(plot), 300);
  });
}

listen();
byId("forget").hidden = !state.token;
if (state.token) trying(async () => {
  await comeBack();
  await search(false);
});
else {
  say("Type in a token: `almanac token create` makes one.");
  byId("token").focus();
}
