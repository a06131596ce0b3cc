/** Charts of counts, drawn as SVG: stacked columns over time, and a histogram. Colours come from the style sheet. */

import { el, svg } from "./dom.js";
import { count } from "./format.js";

const HEIGHT = 200;
const LEFT = 34;
const BOTTOM = 22;
const TOP = 8;
const LABEL = 62; // pixels that a label below a column may need
const WIDEST = 72;

/**
 * Stacked columns. `series` are {name, title}; `columns` are {label, title, values: {name: number}}, evenly spaced.
 * Whoever cannot see it gets the same as a table.
 */
export function stackedColumns(title, series, columns) {
  const holder = el("div", { className: "drawing" });
  // As wide as there is room, so that its letters keep their size on every screen.
  new ResizeObserver(([{ contentRect }]) => {
    holder.replaceChildren(drawn(title, series, columns, Math.max(200, contentRect.width)));
  }).observe(holder);
  return el(
    "figure",
    {},
    el("figcaption", {}, el("h3", {}, title), legend(series)),
    holder,
    el("details", { className: "numbers" }, el("summary", {}, "Numbers"), table(series, columns)),
  );
}

function drawn(title, series, columns, width) {
  const totals = columns.map(({ values }) => series.reduce((sum, { name }) => sum + (values[name] ?? 0), 0));
  const tick = niceStep(Math.max(1, ...totals) / 4);
  const top = tick * Math.ceil(Math.max(1, ...totals) / tick);
  const step = Math.min(WIDEST, (width - LEFT) / Math.max(1, columns.length));
  const y = (value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - BOTTOM - TOP);
  const gap = Math.min(3, step * 0.2);
  const bars = columns.map(({ title: hint, values }, index) => {
    let below = 0;
    const parts = series.map(({ name }) => {
      const value = values[name] ?? 0;
      below += value;
      const height = y(below - value) - y(below);
      const place = { x: LEFT + index * step + gap / 2, y: y(below), width: Math.max(1, step - gap), height };
      return value > 0 ? [svg("rect", { ...place, class: `series ${name}`, rx: Math.min(1.5, step / 6) })] : [];
    });
    const area = { x: LEFT + index * step, y: TOP, width: step, height: HEIGHT - BOTTOM - TOP, class: "hit" };
    const told = series.map(({ name, title: what }) => `${what} ${count(values[name] ?? 0)}`).join(", ");
    return svg("g", { class: "column" }, svg("rect", area), parts, svg("title", {}, `${hint}: ${told}`));
  });
  return svg(
    "svg",
    { width, height: HEIGHT, class: "chart", role: "img", "aria-label": `${title}; the table below has the numbers` },
    grid(top, tick, y, width),
    bars,
    labels(columns, step),
  );
}

/** The counts of a histogram whose buckets are named by their upper bound. */
export function histogram(title, name, buckets) {
  const columns = buckets.map(({ label, value }) => ({ label, title: `up to ${label}`, values: { [name]: value } }));
  return stackedColumns(title, [{ name, title: "Requests" }], columns);
}

/** The first of 1, 2, 5, 10, 20, … that is no less. */
function niceStep(least) {
  const power = 10 ** Math.max(0, Math.floor(Math.log10(least)));
  return [1, 2, 5, 10].find((factor) => factor * power >= least) * power;
}

function grid(top, tick, y, width) {
  return Array.from({ length: top / tick + 1 }, (_, index) => index * tick).map((value) => [
    svg("line", { x1: LEFT, x2: width, y1: y(value), y2: y(value), class: value === 0 ? "axis" : "grid" }),
    svg("text", { x: LEFT - 6, y: y(value) + 4, class: "tick end" }, compact(value)),
  ]);
}

const COMPACT = new Intl.NumberFormat(undefined, { notation: "compact" });

function compact(value) {
  return COMPACT.format(value);
}

function labels(columns, step) {
  const every = Math.ceil(LABEL / step);
  return columns.flatMap(({ label }, index) =>
    index % every === 0
      ? [svg("text", { x: LEFT + (index + 0.5) * step, y: HEIGHT - 5, class: "tick middle" }, label)]
      : [],
  );
}

function legend(series) {
  if (series.length < 2) return null;
  const items = series.map(({ name, title }) => el("li", {}, el("span", { className: `swatch ${name}` }), title));
  return el("ul", { className: "legend" }, items);
}

function table(series, columns) {
  const filled = columns.filter(({ values }) => series.some(({ name }) => values[name]));
  return el(
    "div",
    { className: "scroll", tabIndex: 0 },
    el(
      "table",
      {},
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          el("td"),
          series.map((one) => el("th", { scope: "col" }, one.title)),
        ),
      ),
      el(
        "tbody",
        {},
        filled.map(({ title, values }) =>
          el(
            "tr",
            {},
            el("th", { scope: "row" }, title),
            series.map(({ name }) => el("td", {}, count(values[name] ?? 0))),
          ),
        ),
      ),
    ),
  );
}
