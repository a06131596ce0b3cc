/** The view of the audit trail: who did what on a day across the tenant, or to one request; with a filter. */

import { el, freshId, problem } from "./dom.js";
import { count, isoDay, short, words } from "./format.js";
import { empty, json } from "./parts.js";
import { encode } from "./streamer.js";

const MOST = 2000;
const IN_COLUMNS = new Set(["at", "type", "user_id", "request_id", "action"]);

export function auditView(main, { client, me }) {
  const day = el("input", { type: "date", id: freshId("day"), value: isoDay(new Date()), max: isoDay(new Date()) });
  const request = el("input", { type: "search", id: freshId("request"), placeholder: "id", spellcheck: false });
  const filter = el("input", { type: "search", id: freshId("filter"), placeholder: "user, action, event, anything" });
  const load = el("button", { className: "primary" }, "Show");
  const number = el("span", { className: "faint", role: "status" });
  const body = el("div", {}, empty("Loading …"));
  let entries = [];
  let turn = 0;

  const show = () => {
    const terms = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const kept = entries.filter(({ text }) => terms.every((term) => text.includes(term)));
    const more = entries.length === MOST ? ", the first of the day" : "";
    number.textContent = `${count(kept.length)} of ${count(entries.length)} entries${more}`;
    if (entries.length === 0) body.replaceChildren(empty("Nothing was recorded", "Choose another day or request."));
    else if (kept.length === 0) body.replaceChildren(empty("No entry fits the filter"));
    else body.replaceChildren(table(kept));
  };
  const ask = async (event) => {
    event?.preventDefault();
    const mine = ++turn;
    load.disabled = false;
    const requestId = request.value.trim();
    if (!requestId && (!me.seesTenant || !day.value)) {
      entries = [];
      number.textContent = "";
      body.replaceChildren(
        me.seesTenant
          ? empty("Choose a day or a request")
          : empty(
              "Which request?",
              "Your token lacks the scope tenant:read: you can see the trail of your own requests, by their ids.",
            ),
      );
      return;
    }
    load.disabled = true;
    try {
      const items = await client.audit(requestId ? { requestId, limit: MOST } : { day: day.value, limit: MOST });
      if (mine !== turn) return;
      entries = items.map((item) => ({ item, text: `${encode(item)} ${words(item.type)}`.toLowerCase() }));
      entries.sort((a, b) => b.item.at.localeCompare(a.item.at) || (b.item.version ?? 0) - (a.item.version ?? 0));
      show();
    } catch (error) {
      if (mine !== turn) return;
      entries = [];
      number.textContent = "";
      body.replaceChildren(problem(error));
    } finally {
      if (mine === turn) load.disabled = false;
    }
  };
  day.addEventListener("change", () => {
    request.value = "";
    ask();
  });
  filter.addEventListener("input", () => entries.length > 0 && show());
  const labelled = (label, input) =>
    el("div", { className: "field" }, el("label", { htmlFor: input.id }, label), input);
  main.replaceChildren(
    el(
      "div",
      { className: "stack" },
      el(
        "form",
        { className: "card filters", onsubmit: ask, noValidate: true },
        el("div", { className: "head" }, el("h2", {}, "Audit trail"), number),
        me.seesTenant ? labelled("Day (UTC)", day) : null,
        labelled(me.seesTenant ? "or request" : "Request", request),
        labelled("Filter", filter),
        load,
      ),
      el("div", { className: "card" }, body),
    ),
  );
  ask();
  return {
    stop: () => void ++turn,
  };
}

function table(entries) {
  const head = ["Time", "Event", "User", "Action", "Request", "Details"];
  return el(
    "table",
    { className: "audit" },
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        head.map((text) => el("th", { scope: "col" }, text)),
      ),
    ),
    el(
      "tbody",
      {},
      entries.map(({ item }) => row(item)),
    ),
  );
}

function row(item) {
  const rest = Object.fromEntries(Object.entries(item).filter(([name]) => !IN_COLUMNS.has(name)));
  const at = new Date(item.at);
  const { request_id: id } = item;
  return el(
    "tr",
    { dataset: { type: item.type } },
    el("td", { className: "number" }, el("time", { dateTime: item.at, title: item.at }, at.toLocaleTimeString())),
    el("td", {}, words(item.type)),
    el("td", {}, item.user_id ?? ""),
    el("td", {}, item.action ?? ""),
    el("td", {}, id ? el("a", { href: `#/requests/${encodeURIComponent(id)}`, className: "id" }, short(id)) : ""),
    el("td", {}, el("details", {}, el("summary", {}, told(item)), json(rest))),
  );
}

function told(item) {
  const { reason, by, error, attempt, topic, percent, version } = item;
  const words = error?.message ?? reason ?? topic ?? (by && `by ${by}`) ?? (attempt && `attempt ${attempt}`);
  if (words) return words;
  if (percent !== undefined) return `${percent} %`;
  return version ? `version ${version}` : "more";
}
