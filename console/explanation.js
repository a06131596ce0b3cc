/** Why a request is where it is: asked for when it is opened, told in the server's own words. */

import { el, problem } from "./dom.js";
import { duration, instant } from "./format.js";

export function explanation(client, requestId) {
  const body = el("div", { className: "stack" });
  const again = el("button", { type: "button", className: "quiet" }, "Ask again");
  let turn = 0;

  const ask = async () => {
    const mine = ++turn;
    try {
      const found = await client.explain(requestId);
      if (mine === turn) body.replaceChildren(...told(found), again);
    } catch (error) {
      if (mine === turn) body.replaceChildren(problem(error), again);
    }
  };
  again.addEventListener("click", ask);
  const element = el("details", { className: "card why" }, el("summary", { className: "h3" }, "Why it is there"), body);
  element.addEventListener("toggle", () => element.open && ask());
  return { element, stop: () => void ++turn };
}

function told(found) {
  const ahead = found.position === undefined ? null : ["Ahead of it", String(found.position)];
  const held = found.held_by === undefined ? null : ["Held by", found.held_by];
  const views = ["Log and views", `version ${found.version}; the views are at ${found.view_version}`];
  const facts = [ahead, held, views].filter(Boolean);
  return [
    el("p", {}, found.why),
    el("dl", { className: "facts wide" }, facts.map(fact)),
    part("Attempts", found.attempts, (one) => [`Attempt ${one.attempt}`, attempt(one)]),
    part("Watched by", found.watchers, (one) => [`${one.connection_id} on ${one.topic}`, one.delivered]),
  ].filter(Boolean);
}

function part(title, items, shown) {
  if (items.length === 0) return null;
  const rows = items.map((one) => fact(shown(one)));
  return el("section", {}, el("h4", {}, title), el("dl", { className: "stack" }, rows));
}

function attempt(one) {
  const started = new Date(one.started_at);
  const count = `${one.events} ${one.events === 1 ? "event" : "events"}`;
  if (one.ended_at === undefined) return `since ${instant(started)}, ${count}`;
  const error = one.error === undefined ? "" : `: ${one.error.code} ${one.error.message}`;
  return `${duration(new Date(one.ended_at) - started)}, ${count}, ${one.ended_as}${error}`;
}

function fact([name, value]) {
  return el("div", {}, el("dt", {}, name), el("dd", {}, value));
}
