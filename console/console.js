/** The console: signs in, holds the one connection, and shows the view that the address names. */

import { auditView } from "./audit.js";
import { announce, el, freshId, problem } from "./dom.js";
import { metricsView } from "./metrics.js";
import { empty } from "./parts.js";
import { requestsView } from "./requests.js";
import { claimsOf, forget, keep, keptToken } from "./session.js";
import { ConnectRefused, StreamerClient } from "./streamer.js";

const main = document.getElementById("main");
const nav = document.getElementById("nav");
const pill = document.getElementById("connection");
const user = document.getElementById("user");
const leave = document.getElementById("leave");
const VIEWS = { requests: requestsView, metrics: metricsView, audit: auditView };

let session = null; // {client, actions, me, go}
let shown = { name: null, view: null };

async function start() {
  let config;
  try {
    const answer = await fetch("config.json", { cache: "no-store" });
    if (!answer.ok) throw new Error(`config.json: ${answer.status}`);
    config = await answer.json();
  } catch (error) {
    main.replaceChildren(empty("The console does not know its server", error.message));
    return;
  }
  leave.addEventListener("click", () => signOut(config));
  addEventListener("hashchange", route);
  const token = keptToken();
  if (token === null) signIn(config);
  else await enter(config, token);
}

// --- signing in and out -----------------------------------------------------------------------------------------------

function signIn(config, error = null) {
  document.title = "Sign in · Streamer";
  const input = el("textarea", {
    id: freshId("token"),
    rows: 5,
    className: "code",
    spellcheck: false,
    autocomplete: "off",
    required: true,
    placeholder: "eyJhbGciOi…",
  });
  const trouble = el("div", {}, error ? problem(error) : null);
  const button = el("button", { className: "primary" }, "Sign in");
  const submit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    trouble.replaceChildren();
    await enter(config, input.value.trim());
  };
  const hint = config.token_hint
    ? el("p", { className: "faint" }, "For this stack: ", el("code", { className: "hint" }, config.token_hint))
    : el("p", { className: "faint" }, "A JWT from your issuer. It stays in this tab and is forgotten with it.");
  main.replaceChildren(
    el(
      "form",
      { className: "card signin", onsubmit: submit, ariaLabel: "Sign in" },
      el("h1", {}, "Sign in"),
      el("div", { className: "field" }, el("label", { htmlFor: input.id }, "Token"), input),
      hint,
      trouble,
      el("div", { className: "actions" }, button),
    ),
  );
  input.focus();
}

async function enter(config, token) {
  let me;
  try {
    me = claimsOf(token);
  } catch (error) {
    return signOut(config, error);
  }
  keep(token);
  main.replaceChildren(empty("Connecting …"));
  const client = new StreamerClient({ url: config.ws_url, ticketUrl: config.ticket_url, token });
  client.addEventListener("connection", ({ detail }) => showConnection(config, client, detail));
  try {
    await client.open();
    session = { client, me, go: (hash) => (location.hash = hash), actions: await client.actions() };
  } catch (error) {
    client.close();
    return error instanceof ConnectRefused ? signOut(config, error) : notConnected(config, token, error);
  }
  user.textContent = `${me.user} @ ${me.tenant}`;
  user.title = `until ${me.endsAt.toLocaleString()}`;
  for (const part of [nav, user, leave, pill]) part.hidden = false;
  return route();
}

/** What went wrong says nothing about the token: it is kept, and its user says when to try again. */
function notConnected(config, token, error) {
  document.title = "Not connected · Streamer";
  const again = el("button", { className: "primary", onclick: () => enter(config, token) }, "Try again");
  const other = el("button", { className: "quiet", onclick: () => signOut(config) }, "Use another token");
  const actions = el("div", { className: "actions" }, again, other);
  main.replaceChildren(el("div", { className: "card signin" }, el("h1", {}, "Not connected"), problem(error), actions));
  again.focus();
}

function signOut(config, error = null) {
  shown.view?.stop();
  shown = { name: null, view: null };
  const { client } = session ?? {};
  session = null;
  client?.close();
  forget();
  for (const part of [nav, user, leave, pill]) part.hidden = true;
  signIn(config, error);
}

function showConnection(config, client, { state, resumes, error }) {
  const words = { connecting: "Connecting", open: "Connected", reconnecting: "Reconnecting", closed: "Closed" }[state];
  const again = resumes === 0 ? "" : ` · resumed ${resumes}×`;
  pill.dataset.state = state;
  pill.dataset.resumes = resumes;
  pill.textContent = words + again;
  if (state !== "closed" || session?.client !== client) return;
  if (error instanceof ConnectRefused) return signOut(config, error);
  // Only what the user does can help now: what is on the page stays readable meanwhile.
  const retry = el("button", { className: "quiet", onclick: () => location.reload() }, "Connect again");
  const told = `The connection is gone: ${error.message}.`;
  main.prepend(el("div", { className: "card banner", role: "alert" }, told, retry));
}

// --- the view that the address names ----------------------------------------------------------------------------------

function place() {
  const [, name = "requests", id = null] = location.hash.split("/");
  if (!Object.hasOwn(VIEWS, name)) return null;
  try {
    return { name, requestId: id === null ? null : decodeURIComponent(id) };
  } catch {
    return null; // a percent sign that stands for no character
  }
}

function route() {
  if (session === null) return;
  const found = place();
  if (found === null) return void (location.hash = "#/requests");
  const { name, requestId } = found;
  for (const link of nav.children) {
    if (link.hash === `#/${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${name.charAt(0).toUpperCase()}${name.slice(1)} · Streamer`;
  if (shown.name === name && shown.view.show) return shown.view.show(requestId);
  shown.view?.stop();
  shown = { name, view: VIEWS[name](main, session, requestId) };
  announce(`${name} shown`);
}

start();
