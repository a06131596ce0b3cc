/** One request: how it stands and why, what it resulted in, every event, and its state at any version. */

import { explanation } from "./explanation.js";
import { announce, el, freshId, problem, throttled } from "./dom.js";
import { count, duration, instant, percent, words } from "./format.js";
import { badge, bar, cancelButton, empty, FINAL, json } from "./parts.js";
import { RequestCancelled, RequestFailed, WatchClosed } from "./streamer.js";

const INSTANTS = new Set([
  "submitted_at",
  "started_at",
  "due_at",
  "updated_at",
  "expires_at",
  "retry_at",
  "lease_until",
]);

export function timeline(client, requestId) {
  const heading = el("h2", { tabIndex: -1 }, "Request");
  const status = el("span");
  const progress = bar("Progress");
  const message = el("p", { className: "message" });
  const cancel = cancelButton(client, requestId, "this request");
  const facts = el("dl", { className: "facts" });
  const outcome = el("div", { className: "outcome" });
  const events = eventList((version) => travel.to(version));
  const travel = timeTravel(client, requestId, events.mark);
  const why = explanation(client, requestId);
  const loading = empty("Loading …");
  const body = el("div", { className: "stack" });
  const element = el("div", { className: "stack" }, loading);
  let handle = null;
  let stopped = false;

  body.append(
    el(
      "div",
      { className: "card" },
      el("div", { className: "head" }, heading, status, cancel),
      el("p", { className: "faint id" }, requestId),
      progress.element,
      message,
      facts,
      outcome,
    ),
    why.element,
    travel.element,
    events.element,
  );

  const show = (state) => {
    heading.textContent = state.action ?? "Request";
    status.replaceChildren(badge(state));
    progress.show(state);
    message.textContent = state.message ?? "";
    cancel.hidden = FINAL.has(state.status) || state.cancel_requested === true;
    facts.replaceChildren(...factsOf(state));
  };
  const fill = throttled(500, async () => {
    // Live, only the newest of several progress reports is pushed: the log has the others.
    const after = events.gap();
    if (after === null || stopped) return;
    try {
      for (const event of await client.history(requestId, after)) events.add(event, 0);
      travel.reach(events.versions());
    } catch (error) {
      if (!stopped) console.warn(error);
    }
  });
  const take = (update) => {
    if (stopped) return;
    if (loading.isConnected) element.replaceChildren(body);
    events.add(update, update.skipped);
    if (update.skipped > 0) fill();
    if (update.state) show(update.state);
    travel.reach(events.versions());
  };
  const conclude = async () => {
    try {
      const result = await handle.result();
      outcome.replaceChildren(el("h3", {}, "Result"), ...links(result), json(result));
    } catch (error) {
      if (error instanceof WatchClosed || stopped) return;
      if (error instanceof RequestCancelled) {
        const by = error.by ? ` by ${error.by}` : "";
        outcome.replaceChildren(el("h3", {}, `Cancelled${by}`), el("p", {}, error.reason ?? "No reason was given."));
      } else if (error instanceof RequestFailed) {
        const shown = { code: error.error.code, message: error.error.message || "It failed without a word." };
        outcome.replaceChildren(el("h3", {}, "Failed"), problem(shown));
      } else {
        outcome.replaceChildren(problem(error));
      }
    }
    fill();
    announce(`${heading.textContent}: ${words(handle.state?.status ?? "")}`);
  };
  const start = async () => {
    try {
      handle = await client.subscribe(requestId, { onUpdate: take });
      if (stopped) return void handle.close().catch(() => {});
      conclude();
    } catch (error) {
      if (stopped) return;
      const missing = error.code === "NOT_FOUND";
      element.replaceChildren(
        missing
          ? empty("There is no such request", "It may have expired, or belong to somebody else.")
          : problem(error),
      );
    }
  };
  start();
  return {
    element,
    stop() {
      stopped = true;
      fill.stop();
      travel.stop();
      why.stop();
      if (handle && !handle.hasEnded) handle.close().catch(() => {});
    },
  };
}

function factsOf(state) {
  const submitted = new Date(state.submitted_at);
  const updated = new Date(state.updated_at ?? state.submitted_at);
  const pairs = [
    ["Submitted", instant(submitted)],
    ["Attempt", state.attempt ? `${state.attempt} of ${state.max_attempts ?? 1}` : "none yet"],
    [FINAL.has(state.status) ? "Took" : "Running for", duration(updated - submitted)],
    ["Priority", String(state.priority ?? 5)],
  ];
  return pairs.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)));
}

/** The links in a result, to follow. Only web addresses: nothing else can be run by a click. */
function links(result) {
  const found = [];
  const search = (value, name) => {
    if (typeof value === "string" && /^https?:\/\//.test(value) && URL.canParse(value)) found.push([name, value]);
    else if (value && typeof value === "object") {
      for (const [key, inner] of Object.entries(value)) search(inner, key === "link" ? name : key);
    }
  };
  search(result, "link");
  if (found.length === 0) return [];
  const made = found
    .slice(0, 20)
    .map(([name, href]) =>
      el(
        "li",
        {},
        el("a", { href, target: "_blank", rel: "noopener noreferrer" }, `Open ${words(name).toLowerCase()}`),
      ),
    );
  return [el("ul", { className: "links" }, made)];
}

// --- time travel ------------------------------------------------------------------------------------------------------

function timeTravel(client, requestId, moved) {
  const id = freshId("version");
  const slider = el("input", { type: "range", min: 1, max: 1, value: 1, step: 1, id });
  const told = el("output", { htmlFor: id, className: "number" });
  const live = el("button", { type: "button", className: "quiet" }, "Back to now");
  const state = el("dl", { className: "facts wide" });
  const picture = bar("Progress at that version");
  const past = el("div", { className: "past", hidden: true }, picture.element, state);
  let newest = 1;
  let following = true;
  let turn = 0;

  const label = () => {
    const at = Number(slider.value);
    slider.style.setProperty("--at", `${newest > 1 ? (100 * (at - 1)) / (newest - 1) : 100}%`);
    told.textContent = following ? `now, version ${newest}` : `version ${at} of ${newest}`;
    slider.setAttribute("aria-valuetext", told.textContent);
    live.hidden = following;
    past.hidden = following;
    moved(following ? null : at);
  };
  const look = throttled(120, async () => {
    const mine = ++turn;
    const version = Number(slider.value);
    if (following) return;
    try {
      const was = await client.get(requestId, version);
      if (mine !== turn || following) return;
      picture.show(was.state);
      state.replaceChildren(...stateRows(was.state));
      past.dataset.version = version;
    } catch (error) {
      if (mine === turn) state.replaceChildren(problem(error));
    }
  });
  const to = (version) => {
    slider.value = version;
    following = false;
    label();
    look();
  };
  slider.addEventListener("input", () => to(slider.value));
  live.addEventListener("click", () => {
    following = true;
    slider.value = newest;
    label();
    slider.focus();
  });
  label();
  return {
    element: el(
      "section",
      { className: "card travel", ariaLabel: "Time travel" },
      el("div", { className: "head" }, el("label", { htmlFor: id, className: "h3" }, "State at"), told, live),
      slider,
      past,
    ),
    to,
    reach(version) {
      newest = Math.max(newest, version);
      slider.max = newest;
      if (following) slider.value = newest;
      label();
    },
    stop: () => look.stop(),
  };
}

function stateRows(state) {
  return Object.entries(state).map(([name, value]) => {
    const shown = INSTANTS.has(name) ? instant(new Date(value)) : name === "status" ? words(value ?? "none") : null;
    const text = shown ?? (typeof value === "object" && value !== null ? json(value) : String(value));
    return el("div", {}, el("dt", {}, words(name)), el("dd", {}, name === "percent" ? percent(value) : text));
  });
}

// --- events -----------------------------------------------------------------------------------------------------------

function eventList(chosen) {
  const rows = new Map(); // version -> {element, skipped}
  const holder = el("ol", { className: "events" });
  const number = el("span", { className: "faint" });
  let start = null;
  let newest = 0;
  let whole = 0; // the version up to which none is missing
  let marked = null;

  // A long request has thousands of events: none of them may cost a look at all the others.
  const place = (element, version) => {
    const before = rows.get(version - 1);
    if (version > newest) return holder.append(element);
    if (before) return before.element.after(element);
    const next = [...holder.children].find((other) => Number(other.dataset.version) > version);
    return holder.insertBefore(element, next ?? null);
  };
  const dress = (element, version) => {
    element.classList.toggle("later", marked !== null && version > marked);
    if (version === marked) element.setAttribute("aria-current", "step");
    else element.removeAttribute("aria-current");
  };
  const add = (event, skipped) => {
    if (rows.has(event.version)) return;
    const at = event.at instanceof Date ? event.at : new Date(event.at);
    if (event.version === 1) start = at;
    const row = { skipped, element: eventRow(event, at, start, () => chosen(event.version)) };
    place(row.element, event.version);
    rows.set(event.version, row);
    newest = Math.max(newest, event.version);
    if (marked !== null) dress(row.element, event.version);
    number.textContent = `${count(rows.size)} ${rows.size === 1 ? "event" : "events"}`;
  };
  return {
    element: el(
      "section",
      { className: "card", ariaLabel: "Timeline" },
      el("div", { className: "head" }, el("h3", {}, "Timeline"), number),
      holder,
    ),
    add,
    versions: () => newest,
    /** The version before the first one that is missing, null when none is. */
    gap() {
      while (rows.has(whole + 1)) whole++;
      return whole < newest ? whole : null;
    },
    mark(version) {
      if (version === marked) return;
      marked = version;
      for (const [at, { element }] of rows) dress(element, at);
    },
  };
}

function eventRow(event, at, start, chosen) {
  const offset = start === null ? "" : `+${duration(Math.max(0, at - start))}`;
  return el(
    "li",
    { dataset: { version: event.version, type: event.type } },
    el(
      "button",
      { type: "button", className: "version", onclick: chosen, title: "See the state at this version" },
      el("span", { className: "hidden" }, "Version "),
      String(event.version),
    ),
    el(
      "details",
      {},
      el(
        "summary",
        {},
        el("span", { className: "what" }, words(event.type), told(event)),
        el("time", { className: "faint number", dateTime: at.toISOString(), title: at.toISOString() }, offset),
      ),
      json(event.data),
    ),
  );
}

function told({ type, data }) {
  const text = {
    ProgressReported: () => [percent(data.percent), data.message].filter(Boolean).join(" · "),
    AttemptStarted: () => `attempt ${data.attempt}`,
    AttemptFailed: () => data.error?.message,
    RequestFailed: () => data.error?.message,
    RequestCancelled: () => data.reason,
    CancelRequested: () => data.reason,
    OutputAppended: () => `output ${data.index}`,
  }[type]?.();
  return text ? el("span", { className: "told" }, ` ${text}`) : null;
}
