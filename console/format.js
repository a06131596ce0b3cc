/** Times, durations, counts and names as people read them. */

const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const DAY_AND_CLOCK = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const COUNT = new Intl.NumberFormat();

export function count(number) {
  return COUNT.format(number);
}

/** The clock of a Date, with its day unless that is today. */
export function instant(date) {
  return date.toDateString() === new Date().toDateString() ? CLOCK.format(date) : DAY_AND_CLOCK.format(date);
}

/** Milliseconds as the largest unit that tells something. */
export function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${trimmed(ms / 1000)} s`;
  if (ms < 3_600_000) return two(Math.round(ms / 1000), 60, "min", "s");
  return two(Math.round(ms / 60_000), 60, "h", "min");
}

function two(number, size, large, small) {
  const rest = number % size;
  return `${Math.floor(number / size)} ${large}${rest === 0 ? "" : ` ${rest} ${small}`}`;
}

function trimmed(seconds) {
  return seconds < 10 ? seconds.toFixed(1).replace(/\.0$/, "") : Math.round(seconds);
}

/** How long ago, roughly. */
export function ago(date) {
  const seconds = Math.max(0, (Date.now() - date) / 1000);
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)} h ago` : instant(date);
}

/** An event's or a field's name in words: AttemptStarted is "Attempt started", due_at is "Due at". */
export function words(name) {
  const spaced = name
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .replaceAll("_", " ")
    .toLowerCase();
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

export function percent(value) {
  return `${Math.floor(value)} %`;
}

/** The beginning of an id; the whole of it is shown where there is room. */
export function short(id) {
  return id.slice(0, 8);
}

export function isoDay(date) {
  return date.toISOString().slice(0, 10);
}
