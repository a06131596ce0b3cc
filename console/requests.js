/** The view of requests: submit one, see all with live progress, open one. */

import { el, problem, throttled } from "./dom.js";
import { ago, short } from "./format.js";
import { badge, bar, cancelButton, empty, FINAL } from "./parts.js";
import { submitCard } from "./submit.js";
import { timeline } from "./timeline.js";

const SHOWN = 50;

export function requestsView(main, { client, actions, me, go }, requestId) {
  const list = requestList(client, me, go);
  const detail = el("section", { className: "detail", ariaLabel: "Request" });
  const left = el(
    "div",
    { className: "left" },
    submitCard(client, actions, (id) => go(`#/requests/${id}`)),
    list.element,
  );
  const layout = el("div", { className: "split" }, left, detail);
  let open = null;

  const show = (id) => {
    open?.stop();
    open = null;
    layout.dataset.open = id ? "detail" : "list";
    list.select(id);
    if (!id) {
      detail.replaceChildren(empty("No request is open", "Submit one, or choose one from the list."));
      return;
    }
    open = timeline(client, id);
    const back = el("a", { href: "#/requests", className: "back" }, "← All requests");
    detail.replaceChildren(back, open.element);
  };

  main.replaceChildren(layout);
  show(requestId);
  list.start();
  return {
    show,
    stop() {
      open?.stop();
      list.stop();
    },
  };
}

function requestList(client, me, go) {
  const rows = new Map(); // request id -> row
  const holder = el("ul", { className: "requests" });
  const nothing = empty("No requests yet", "Submit one with the form above.");
  const trouble = el("div");
  const scope = el(
    "select",
    { ariaLabel: "Whose requests" },
    el("option", { value: "own" }, "My requests"),
    el("option", { value: "tenant" }, `All of ${me.tenant}`),
  );
  let watch = Promise.resolve(null); // the newest one, or what becomes it
  let chosen = null;
  let turn = 0;

  const shown = () => {
    nothing.hidden = rows.size > 0;
    for (const row of [...rows.values()].sort((a, b) => b.submitted - a.submitted).slice(SHOWN)) {
      rows.delete(row.requestId);
      row.element.remove();
    }
  };
  const take = (requestId, version, state, userId) => {
    let row = rows.get(requestId);
    if (row === undefined) {
      row = requestRow(client, requestId, state, go);
      row.mark(requestId === chosen);
      rows.set(requestId, row);
      const next = [...holder.children].find((other) => Number(other.dataset.submitted) <= row.submitted);
      holder.insertBefore(row.element, next ?? null);
    }
    if (userId && scope.value === "tenant") row.by(userId);
    row.show(version, state);
    shown();
  };
  const load = async () => {
    const mine = turn;
    try {
      const items = await client.list({ scope: scope.value, limit: SHOWN });
      if (mine !== turn) return;
      for (const item of items) take(item.request_id, item.version, item.state, item.user_id);
      trouble.replaceChildren();
    } catch (error) {
      if (mine === turn) trouble.replaceChildren(problem(error));
    }
  };
  const reload = throttled(1000, load);
  const pushed = (update) => {
    // What was caught up with has a state only at its end: the list has it, too.
    if (update.state === null) reload();
    else take(update.requestId, update.version, update.state, update.userId);
  };
  const leave = () => watch.then((made) => made?.close()).catch(() => {});
  const begin = (mine) => {
    if (mine !== turn) return null; // chosen and left before it began
    const listeners = { onUpdate: (update) => mine === turn && pushed(update) };
    return scope.value === "tenant"
      ? client.watchTenant(me.tenant, listeners)
      : client.watchUser(me.tenant, me.user, listeners);
  };
  const start = async () => {
    const mine = ++turn;
    rows.clear();
    holder.replaceChildren();
    // One after the other, so that no unsubscribe comes after the subscribe that follows it.
    watch = leave().then(() => begin(mine));
    try {
      await watch;
    } catch (error) {
      if (mine === turn) trouble.replaceChildren(problem(error));
    }
    if (mine !== turn) return;
    await load();
    shown();
  };
  const resumed = ({ detail }) => detail.state === "open" && reload();
  client.addEventListener("connection", resumed);
  scope.addEventListener("change", start);
  const clock = setInterval(() => rows.forEach((row) => row.tick()), 10_000);
  return {
    element: el(
      "section",
      { className: "card list", ariaLabel: "Requests" },
      el("div", { className: "head" }, el("h2", {}, "Requests"), me.seesTenant ? scope : null),
      trouble,
      nothing,
      holder,
    ),
    start,
    select(id) {
      chosen = id;
      rows.forEach((row) => row.mark(row.requestId === id));
    },
    stop() {
      turn++;
      clearInterval(clock);
      reload.stop();
      client.removeEventListener("connection", resumed);
      leave();
    },
  };
}

function requestRow(client, requestId, first, go) {
  const name = `${first.action ?? "request"} ${short(requestId)}`;
  const status = el("span");
  const progress = bar(`Progress of ${name}`);
  const message = el("span", { className: "message" });
  const when = el("time", { className: "faint" });
  const who = el("span", { className: "faint" });
  const cancel = cancelButton(client, requestId, name);
  const link = el(
    "a",
    { href: `#/requests/${requestId}`, className: "name" },
    el("strong", {}, first.action ?? "request"),
    " ",
    el("span", { className: "id" }, short(requestId)),
  );
  const submitted = new Date(first.submitted_at ?? Date.now());
  when.dateTime = submitted.toISOString();
  when.title = submitted.toLocaleString();
  const element = el(
    "li",
    {
      className: "request",
      dataset: { submitted: submitted.getTime(), requestId },
      onclick: (event) => event.target.closest("button, a") || go(`#/requests/${requestId}`),
    },
    el("div", { className: "line" }, link, status, cancel),
    progress.element,
    el("div", { className: "line small" }, message, who, when),
  );
  let version = 0;
  const tick = () => (when.textContent = ago(submitted));
  tick();
  return {
    requestId,
    element,
    submitted: submitted.getTime(),
    tick,
    by: (userId) => (who.textContent = userId),
    mark: (isChosen) => (isChosen ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current")),
    show(newer, state) {
      if (newer <= version) return;
      version = newer;
      element.dataset.status = state.status;
      status.replaceChildren(badge(state));
      progress.show(state);
      cancel.hidden = FINAL.has(state.status) || state.cancel_requested === true;
      message.textContent = state.error?.message ?? state.message ?? "";
    },
  };
}
