/** The view of metrics: what the tenant's requests did, live. */

import { histogram, stackedColumns } from "./charts.js";
import { el, problem, throttled } from "./dom.js";
import { count, duration, instant } from "./format.js";
import { empty } from "./parts.js";

const MINUTE = 60_000;
const PERIODS = [
  ["15", "Last 15 minutes"],
  ["60", "Last hour"],
  ["1440", "Last 24 hours"],
  ["10080", "Last 7 days"],
];
const LENGTHS = { minute: MINUTE, hour: 60 * MINUTE, day: 1440 * MINUTE };
const ENDINGS = [
  { name: "completed", title: "Completed" },
  { name: "failed", title: "Failed" },
  { name: "cancelled", title: "Cancelled" },
];
const SUBMITTED = [{ name: "submitted", title: "Submitted" }];
const REFRESH = 15_000;
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
// The bounds of the columns: the server counts in finer buckets (projections/histogram.py).
const BOUNDS = [10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 3e4, 6e4, 3e5, 9e5, Infinity];

export function metricsView(main, { client, actions, me }) {
  if (!me.seesTenant) {
    main.replaceChildren(
      empty(
        "These are the tenant's metrics",
        "Your token lacks the scope tenant:read, so you see your own requests only.",
        "Ask whoever gives out tokens for one with that scope.",
      ),
    );
    return { stop() {} };
  }
  const period = el(
    "select",
    { ariaLabel: "Period" },
    PERIODS.map(([value, text]) => el("option", { value }, text)),
  );
  const choice = el(
    "select",
    { ariaLabel: "Action" },
    el("option", { value: "" }, "All actions"),
    actions.map(({ name }) => el("option", { value: name }, name)),
  );
  const trouble = el("div");
  const tiles = el("dl", { className: "tiles" });
  const charts = el("div", { className: "charts" });
  const asOf = el("span", { className: "faint" });
  let stopped = false;
  let turn = 0;
  let watch = null;

  const load = async () => {
    const mine = ++turn;
    const now = new Date();
    const to = new Date(Math.floor(now / MINUTE) * MINUTE + MINUTE);
    const from = new Date(to - Number(period.value) * MINUTE);
    try {
      const page = await client.metrics(from, to, choice.value || undefined);
      if (mine !== turn || stopped) return;
      trouble.replaceChildren();
      tiles.replaceChildren(...tilesOf(page.totals));
      draw(charts, page, from, to);
      asOf.textContent = `as of ${instant(now)}`;
    } catch (error) {
      if (mine === turn && !stopped) trouble.replaceChildren(problem(error));
    }
  };
  const soon = throttled(1500, load);
  period.addEventListener("change", load);
  choice.addEventListener("change", load);
  const timer = setInterval(() => document.visibilityState === "visible" && soon(), REFRESH);
  main.replaceChildren(
    el(
      "div",
      { className: "stack" },
      el("div", { className: "card head" }, el("h2", {}, `Metrics of ${me.tenant}`), asOf, period, choice),
      trouble,
      tiles,
      charts,
    ),
  );
  load();
  client.watchTenant(me.tenant, { onUpdate: () => soon() }).then(
    (made) => (stopped ? made.close().catch(() => {}) : (watch = made)),
    (error) => trouble.replaceChildren(problem(error)),
  );
  return {
    stop() {
      stopped = true;
      soon.stop();
      clearInterval(timer);
      watch?.close().catch(() => {});
    },
  };
}

function tilesOf(totals) {
  const ended = totals.completed + totals.failed + totals.cancelled;
  const rate = totals.completed + totals.failed;
  const pairs = [
    ["Submitted", count(totals.submitted)],
    ["Completed", count(totals.completed)],
    ["Failed", count(totals.failed)],
    ["Cancelled", count(totals.cancelled)],
    ["Tried again", count(totals.retried)],
    ["Not ended", count(Math.max(0, totals.submitted - ended))],
    ["Succeeded", rate === 0 ? "–" : `${Math.floor((100 * totals.completed) / rate)} %`],
    ["Wait, median", quantile(totals.wait_ms_p50)],
    ["Run, median", quantile(totals.run_ms_p50)],
    ["Run, 95 %", quantile(totals.run_ms_p95)],
  ];
  return pairs.map(([name, value]) => el("div", { className: "tile" }, el("dt", {}, name), el("dd", {}, value)));
}

/** The bounds in milliseconds of a histogram among the totals, with their counts, in order. */
function bucketsOf(totals, name) {
  const counts = BOUNDS.map(() => 0);
  const prefix = `${name}_ms_le_`;
  for (const [key, value] of Object.entries(totals)) {
    if (!key.startsWith(prefix)) continue;
    const bound = key === `${prefix}inf` ? Infinity : Number(key.slice(prefix.length));
    counts[BOUNDS.findIndex((least) => bound <= least)] += value;
  }
  const first = counts.findIndex((value) => value > 0);
  const last = counts.findLastIndex((value) => value > 0);
  if (first < 0) return [];
  const shown = BOUNDS.map((bound, index) => ({ bound, value: counts[index] }));
  return shown.slice(Math.max(0, first - 1), last + 2);
}

/** The server tells quantiles within some percent; of nothing there is none. */
function quantile(milliseconds) {
  return milliseconds === undefined ? "–" : `≈ ${duration(milliseconds)}`;
}

function draw(charts, page, from, to) {
  const open = [...charts.querySelectorAll("details")].map((one) => one.open);
  const columns = columnsOf(page.rows, from, to);
  charts.replaceChildren(
    el("div", { className: "card wide" }, stackedColumns("Ended requests", ENDINGS, columns)),
    el("div", { className: "card" }, stackedColumns("Submitted requests", SUBMITTED, columns)),
    el("div", { className: "card" }, spread("How long requests waited", "wait", page.totals)),
    el("div", { className: "card" }, spread("How long attempts ran", "run", page.totals)),
  );
  charts.querySelectorAll("details").forEach((one, index) => (one.open = open[index] ?? false));
}

/** A column for each step of the period, also where nothing happened: some 15 to 60 of them. */
function columnsOf(rows, from, to) {
  const wanted = to - from <= LENGTHS.hour ? "minute" : to - from <= LENGTHS.day ? "hour" : "day";
  const length = Math.max(LENGTHS[wanted], ...rows.map(({ per }) => LENGTHS[per]));
  const sums = new Map();
  for (const row of rows) {
    const start = Math.floor(new Date(row.at) / length) * length;
    const sum = sums.get(start) ?? {};
    for (const name of ["submitted", "completed", "failed", "cancelled"])
      sum[name] = (sum[name] ?? 0) + (row[name] ?? 0);
    sums.set(start, sum);
  }
  const columns = [];
  for (let start = Math.floor(from / length) * length; start < to; start += length) {
    const date = new Date(start);
    const label = length === LENGTHS.day ? date.toLocaleDateString() : CLOCK.format(date);
    columns.push({ label, title: date.toLocaleString(), values: sums.get(start) ?? {} });
  }
  return columns;
}

function spread(title, name, totals) {
  const buckets = bucketsOf(totals, name);
  if (buckets.length === 0) return el("figure", {}, el("h3", {}, title), empty("Nothing yet in this period"));
  const shown = buckets.map(({ bound, value }) => ({ label: bound === Infinity ? "more" : duration(bound), value }));
  return histogram(title, name, shown);
}
