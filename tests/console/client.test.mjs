/** The client against a scripted server, over real sockets. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import WebSocket from "ws";
import * as streamer from "../../console/streamer.js";
import { error, ScriptedServer } from "./scripted_server.mjs";

const { StreamerClient } = streamer;
const BACKOFF = { baseMs: 1, capMs: 4, tries: 5 };
const DONE = { result: { rows: 3 } };
let server;
let clients;

beforeEach(async () => {
  server = await ScriptedServer.start();
  clients = [];
});

afterEach(async () => {
  for (const client of clients) client.close();
  await server.stop();
});

function make(options = {}) {
  const client = new StreamerClient({
    url: server.url,
    ticketUrl: server.ticketUrl,
    token: "t0ken",
    WebSocket,
    backoff: BACKOFF,
    ...options,
  });
  clients.push(client);
  return client;
}

async function connect(options) {
  const client = make(options);
  await client.open();
  return client;
}

/** Let the request run to its end, pushing every event. */
function finish(requestId, from) {
  const last = server.append(requestId, "RequestCompleted", DONE);
  for (let version = from; version <= last; version++) server.push(requestId, version);
}

const versions = (updates) => updates.map(({ version }) => version);

async function all(feed) {
  const updates = [];
  for await (const update of feed) updates.push(update);
  return updates;
}

/** Wait until something holds that the client brings about by itself. */
async function until(condition) {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

async function rejected(promise, Kind) {
  const thrown = await promise.then(
    () => assert.fail("it was fulfilled"),
    (one) => one,
  );
  assert.ok(thrown instanceof Kind, thrown);
  return thrown;
}

// --- asking ---

test("a request is submitted, watched to its end and gives its result", async () => {
  const client = await connect();
  const handle = await client.submit("delay", { seconds: 1 }, { priority: 9, metadata: { by: "test" } });
  server.append(handle.requestId, "AttemptStarted");
  server.progress(handle.requestId, 50, 100);
  finish(handle.requestId, 1);
  const updates = await all(handle);
  assert.deepEqual(versions(updates), [1, 2, 3, 4, 5]);
  assert.deepEqual(
    updates.map(({ percent }) => percent),
    [0, 0, 50, 100, 100],
  );
  assert.deepEqual(await handle.result(), DONE.result);
  const [{ submission_id: key, ...frame }] = server.received("submit");
  assert.deepEqual(frame, { action: "delay", payload: { seconds: 1 }, priority: 9, metadata: { by: "test" } });
  assert.match(key, /^[0-9a-f]{32}$/);
});

test("many submissions go in few frames, and each stands for itself", async () => {
  const client = await connect();
  const long = "x".repeat(20_000);
  const asked = Array.from({ length: 30 }, (_, n) => ({ action: "delay", payload: n, priority: n % 10 }));
  const handles = await client.submitMany([...asked, { action: "nope" }, { action: "delay", payload: long }]);
  assert.deepEqual(
    server.received("submit_batch").map(({ items }) => items.length),
    [25, 7],
  );
  assert.equal(handles.length, 32);
  await assert.rejects(handles[30].result(), { name: "RequestRejected", code: "INVALID_ACTION" });
  assert.equal(new Set(handles.map(({ requestId }) => requestId)).size, 32); // the refused one has none
  await server.push(handles[3].requestId, 1);
  assert.deepEqual((await handles[3][Symbol.asyncIterator]().next()).value.version, 1);
});

test("a batch that is not answered is asked again, and is the same requests", async () => {
  const client = await connect();
  server.on.submit_batch = (_, socket) => {
    delete server.on.submit_batch;
    socket.terminate();
    return null;
  };
  const [handle] = await client.submitMany([{ action: "delay" }]);
  const [first, second] = server.received("submit_batch").map(({ items }) => items[0].submission_id);
  assert.equal(first, second);
  assert.equal(handle.requestId, "r1");
});

test("a synchronous action's answer is its result", async () => {
  const client = await connect();
  assert.deepEqual(await client.call("echo", { hello: 1 }), { hello: 1 });
  assert.deepEqual(await all(await client.submit("echo", null)), []);
});

test("updates and progress go to callbacks, whose faults stop nobody", async (t) => {
  const faults = [];
  const catcher = (fault) => faults.push(fault.message);
  const theirs = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", catcher);
  t.after(() => {
    process.off("uncaughtException", catcher);
    for (const listener of theirs) process.on("uncaughtException", listener);
  });
  const client = await connect();
  const got = [];
  const handle = await client.submit("delay", null, {
    onUpdate: ({ version }) => {
      got.push(version);
      throw new Error("a fault of the callback");
    },
  });
  const told = [];
  await client.subscribe(handle.requestId, { onProgress: (percent) => told.push(percent) });
  server.progress(handle.requestId, 10, 20);
  finish(handle.requestId, 1);
  await handle.result();
  assert.deepEqual(got, [1, 2, 3, 4]);
  assert.deepEqual(told, [0, 10, 20, 20]);
  assert.deepEqual(faults, Array(4).fill("a fault of the callback"));
  await rejected(all(handle), TypeError);
});

test("two who iterate over one request share its updates, and both come to the end", async () => {
  const handle = await (await connect()).submit("delay");
  const both = [all(handle), all(handle)];
  finish(handle.requestId, 1);
  const shared = (await Promise.all(both)).flat();
  assert.deepEqual(versions(shared).sort(), [1, 2]);
});

test("a push that comes before the acknowledgement is not lost", async () => {
  server.on.submit = (frame) => {
    const reply = server._submit(frame);
    finish(reply.request_id, 1);
    return reply;
  };
  const handle = await (await connect()).submit("delay");
  assert.deepEqual(versions(await all(handle)), [1, 2]);
});

test("the same key gives the same request, from its beginning", async () => {
  const client = await connect();
  const first = await client.submit("delay", null, { idempotencyKey: "k" });
  server.progress(first.requestId, 10);
  const again = await client.submit("delay", null, { idempotencyKey: "k" });
  finish(first.requestId, 3);
  assert.equal(again.requestId, first.requestId);
  assert.deepEqual(versions(await all(again)), [1, 2, 3]);
});

test("what is too much for now is asked again, in turn, until the tries are used up", async () => {
  const client = await connect();
  let refused = 0;
  server.on.submit = (frame) =>
    refused++ < 3 ? error("RATE_LIMITED", "slower", { retry_after_ms: 1 }) : server._submit(frame);
  const handles = await Promise.all([client.submit("delay"), client.submit("delay")]);
  assert.deepEqual(handles.map(({ requestId }) => requestId).sort(), ["r1", "r2"]);
  server.on.submit = () => error("RATE_LIMITED", "slower", { retry_after_ms: 2 });
  const told = await rejected(client.submit("delay"), streamer.RateLimited);
  assert.deepEqual([told.code, told.retryAfterMs], ["RATE_LIMITED", 2]);
});

test("a refusal tells its code", async () => {
  server.on.submit = () => error("CONFLICT", "another payload", { request_id: "r1", details: { status: "PENDING" } });
  const refusal = await rejected((await connect()).submit("delay"), streamer.RequestRejected);
  assert.deepEqual([refusal.code, refusal.message, refusal.requestId], ["CONFLICT", "another payload", "r1"]);
  assert.deepEqual(refusal.details, { status: "PENDING" });
  assert.equal(server.received("submit").length, 1);
});

test("a frame that is too large is refused here: the socket would be closed for it", async () => {
  const client = await connect();
  const refusal = await rejected(client.submit("delay", "é".repeat(16_000)), streamer.RequestRejected);
  assert.equal(refusal.code, "PAYLOAD_TOO_LARGE");
  assert.deepEqual(server.received("submit"), []);
  await client.submit("delay", "é".repeat(15_800)); // a browser sends it in one piece, of which 32 KB may be had
  assert.equal(server.received("submit").length, 1);
});

const nested = (depth) => (depth === 0 ? 0 : [nested(depth - 1)]);

test("what the server cannot read is refused here: it would not know whom to tell", async () => {
  const client = await connect();
  const big = 10n ** 4299n; // of 4300 digits
  const taken = [nested(47), "\\ud800 😀", big, ["[".repeat(50), "1".repeat(5000)]];
  for (const payload of taken) await client.call("echo", payload);
  for (const payload of [nested(48), "\ud800", { "\udc00": 1 }, [-big * 10n]]) {
    const refusal = await rejected(client.submit("echo", payload), streamer.RequestRejected);
    assert.equal(refusal.code, "VALIDATION_ERROR");
  }
  assert.equal(server.received("submit").length, taken.length);
});

test("one of many submissions that the server cannot read does not concern the others", async () => {
  const client = await connect();
  const asked = [1, nested(46), "\ud800", 2].map((payload) => ({ action: "delay", payload }));
  const handles = await client.submitMany(asked);
  await assert.rejects(handles[1].result(), { code: "VALIDATION_ERROR" });
  await assert.rejects(handles[2].result(), { code: "VALIDATION_ERROR" });
  assert.deepEqual([handles[0].requestId, handles[3].requestId], ["r1", "r2"]);
});

test("a failed request throws its error, a cancelled one who cancelled it", async () => {
  const client = await connect();
  const failing = await client.submit("delay");
  server.append(failing.requestId, "RequestFailed", { error: { code: "BOOM", message: "It broke" } });
  server.push(failing.requestId, 1);
  server.push(failing.requestId, 2);
  const failed = await rejected(failing.result(), streamer.RequestFailed);
  assert.deepEqual([failed.error.code, failed.message, failed.requestId], ["BOOM", "It broke", failing.requestId]);
  const handle = await client.submit("delay");
  await handle.cancel("not needed");
  server.push(handle.requestId, 1);
  server.push(handle.requestId, 2);
  const cancelled = await rejected(handle.result(), streamer.RequestCancelled);
  assert.deepEqual([cancelled.by, cancelled.reason], ["ann", "not needed"]);
});

test("who cancelled a request is told also when nothing follows any more", async () => {
  const client = await connect();
  server.append("r9", ["RequestSubmitted", "AttemptStarted"]);
  const last = server.append("r9", ["CancelRequested", "RequestCancelled"], { by: "bob", reason: "too slow" });
  const handle = await client.subscribe("r9", { after: last });
  const cancelled = await rejected(handle.result(), streamer.RequestCancelled);
  assert.deepEqual([cancelled.by, cancelled.reason, cancelled.message], ["bob", "too slow", "too slow"]);
});

test("a large result is downloaded by a link that is asked for, once more when that has ended", async () => {
  const client = await connect();
  const handle = await client.submit("delay");
  let asked = 0;
  server.files.set("large", '{"n":9007199254740993}');
  server.on.get = ({ request_id: requestId }) => ({
    ...server._get({ request_id: requestId }),
    result: undefined,
    result_url: server.link(asked++ === 0 ? "ended" : "large"),
  });
  server.append(handle.requestId, "RequestCompleted", { result_ref: "s3" });
  server.push(handle.requestId, 1);
  server.push(handle.requestId, 2);
  assert.deepEqual(await handle.result(), { n: 9007199254740993n });
});

/** A request that has ended with a result behind a link. */
async function ended(client, file) {
  const handle = await client.submit("delay");
  server.on.get = (frame) => ({ ...server._get(frame), result: undefined, result_url: server.link(file) });
  server.append(handle.requestId, "RequestCompleted", { result_ref: "s3" });
  server.push(handle.requestId, 1);
  server.push(handle.requestId, 2);
  await handle.ended;
  return handle;
}

test("the time for a result is that of its download, too, which is given up then", async () => {
  let given;
  const stalled = (link, options) => {
    if (link === server.ticketUrl) return fetch(link, options);
    return new Promise((_, reject) => (given = options.signal).addEventListener("abort", () => reject(given.reason)));
  };
  const handle = await ended(await connect({ fetch: stalled }), "large");
  const late = rejected(handle.result({ timeoutMs: 100 }), streamer.StillRunning);
  await until(() => given !== undefined);
  await late;
  await until(() => given.aborted);
  await (await connect()).ping();
  assert.equal(server.received("get").length, 1, "nobody waits for another link");
});

test("no more is downloaded than the largest result has", async () => {
  const most = 4 * 1024 * 1024;
  const handle = await ended(await connect(), "large");
  server.files.set("large", `"${"é".repeat(most / 2 - 1)}"`);
  assert.equal((await handle.result()).length, most / 2 - 1);
  server.files.set("large", `"${"é".repeat(most / 2 - 1)}" `);
  const told = await rejected(handle.result(), streamer.UnreadableReply);
  assert.match(told.cause.message, /at most 4194304 bytes/);
});

test("waiting for a result ends when its user says so, and the request is still watched", async () => {
  const handle = await (await connect()).submit("delay");
  await rejected(handle.result({ timeoutMs: 5 }), streamer.StillRunning);
  finish(handle.requestId, 1);
  assert.deepEqual(await handle.result({ timeoutMs: 10_000 }), DONE.result);
});

test("pages are read to the end", async () => {
  const client = await connect();
  server.append("r9", Array(5).fill("OutputAppended"));
  assert.deepEqual(versions(await client.history("r9", 1)), [2, 3, 4, 5]);
  const page = { a: { items: [{ n: 1 }], cursor: "b" }, b: { items: [{ n: 2 }] } };
  server.on.list = ({ cursor = "a" }) => ({ type: "requests", ...page[cursor] });
  assert.deepEqual(await client.list({ limit: 10 }), [{ n: 1 }, { n: 2 }]);
  assert.deepEqual(
    server.received("list").map(({ limit }) => limit),
    [10, 9],
  );
  server.on.audit = ({ cursor = "a" }) => ({ type: "audit", ...page[cursor] });
  assert.deepEqual(await client.audit({ day: "2026-01-01" }), [{ n: 1 }, { n: 2 }]);
});

test("pages that lead nowhere are not read for ever", async () => {
  const client = await connect();
  server.on.audit = () => ({ type: "audit", items: [{ n: 1 }], cursor: "a" });
  await rejected(client.audit({ day: "2026-01-01" }), streamer.UnreadableReply);
  server.on.history = ({ after }) => ({ type: "history", request_id: "r9", events: [], next: after });
  await rejected(client.history("r9"), streamer.UnreadableReply);
  assert.deepEqual([server.received("audit").length, server.received("history").length], [2, 1]);
});

test("why a request is where it is is asked for", async () => {
  const client = await connect();
  const watcher = { topic: "request#r9", connection_id: "c1", since: "x", delivered: "y" };
  server.on.explain = () => ({ type: "explanation", request_id: "r9", why: "It waits.", watchers: [watcher] });
  const found = await client.explain("r9");
  assert.deepEqual([found.why, found.watchers], ["It waits.", [watcher]]);
  assert.deepEqual(server.received("explain"), [{ request_id: "r9" }]);
});

test("actions, metrics and the state at a version are asked for", async () => {
  const client = await connect();
  server.on.actions = () => ({ type: "actions", items: [{ name: "echo" }] });
  assert.deepEqual(await client.actions(), [{ name: "echo" }]);
  server.on.metrics = () => ({ type: "metrics", rows: [], totals: { submitted: 1 } });
  assert.deepEqual((await client.metrics(new Date(0), new Date(1000), "delay")).totals, { submitted: 1 });
  const period = { from: "1970-01-01T00:00:00.000Z", to: "1970-01-01T00:00:01.000Z", action: "delay" };
  assert.deepEqual(server.received("metrics"), [period]);
  server.append("r9", ["RequestSubmitted", "AttemptStarted"]);
  assert.equal((await client.get("r9", 1)).state.status, "PENDING");
});

// --- gaps ---

test("what is missing is asked for, and comes once and in order", async () => {
  const client = await connect();
  const handle = await client.submit("delay");
  server.progress(handle.requestId, 10, 20, 30);
  server.push(handle.requestId, 1);
  server.push(handle.requestId, 4);
  server.push(handle.requestId, 2);
  server.push(handle.requestId, 2);
  await server.until(() => server.received("subscribe").length === 1);
  finish(handle.requestId, 5);
  assert.deepEqual(versions(await all(handle)), [1, 2, 3, 4, 5]);
  assert.deepEqual(server.received("subscribe")[0], { request_id: handle.requestId, after: 1 });
});

test("a last push that was lost is found by looking after what fell silent", async () => {
  const client = await connect({ tickMs: 2 });
  const handle = await client.submit("delay");
  server.append(handle.requestId, "RequestCompleted", DONE);
  assert.deepEqual(await handle.result(), DONE.result);
});

test("a refusal for the moment is waited out, and events that are gone are told", async () => {
  const client = await connect();
  server.append("r9", ["RequestSubmitted"]);
  let refused = 0;
  server.on.subscribe = (frame) => (refused++ < 2 ? error("TIMEOUT", "later") : server._subscribe(frame));
  const handle = await client.subscribe("r9");
  assert.equal(handle.version, 1);
  assert.equal(refused, 3);
  server.logs.delete("r9");
  await rejected(client.subscribe("r9", { after: 1 }), streamer.EventsLost);
  assert.equal((await rejected(client.subscribe("r9"), streamer.RequestRejected)).code, "NOT_FOUND");
});

test("several pushes in one frame are several updates", async () => {
  const client = await connect();
  const handle = await client.submit("delay");
  server.progress(handle.requestId, 10);
  server.append(handle.requestId, "RequestCompleted", DONE);
  server.send({ type: "events", items: [1, 2, 3].map((version) => server.item(handle.requestId, version)) });
  assert.deepEqual(versions(await all(handle)), [1, 2, 3]);
});

test("what is not of the protocol is ignored and told", async () => {
  const client = await connect();
  const ignored = [];
  client.addEventListener("ignored", ({ detail }) => ignored.push(detail.name));
  for (const frame of ["{", "7", '{"type":"event"}', '{"type":"events"}', '{"type":"pong","id":"unasked"}']) {
    server.send(frame);
  }
  server.send(error("VALIDATION_ERROR", "Not valid JSON"));
  await client.ping();
  assert.deepEqual(ignored, ["SyntaxError", ...Array(3).fill("UnreadableReply"), "RequestRejected"]);
});

// --- the connection ---

test("a lost socket is replaced, and nothing is missed or repeated", async () => {
  const client = await connect();
  const states = [];
  client.addEventListener("connection", ({ detail }) => states.push([detail.state, detail.resumes]));
  const handle = await client.submit("delay");
  server.push(handle.requestId, 1);
  await client.ping();
  server.kill();
  server.progress(handle.requestId, 10, 20);
  await server.until(() => server.received("subscribe").length === 1);
  finish(handle.requestId, 3);
  assert.deepEqual(versions(await all(handle)), [1, 2, 3, 4]);
  assert.deepEqual(server.received("subscribe")[0], { request_id: handle.requestId, after: 1 });
  assert.deepEqual(states, [
    ["reconnecting", 0],
    ["open", 1],
  ]);
  assert.equal(client.connection.resumes, 1);
});

test("random cuts while progress flows: each version once and in order", async () => {
  const client = await connect();
  const handle = await client.submit("delay");
  const collecting = all(handle);
  server.push(handle.requestId, 1);
  for (let round = 0; round < 12; round++) {
    const version = server.progress(handle.requestId, round);
    if (round % 3 !== 1) server.push(handle.requestId, version);
    if (round % 4 === 3) {
      const connects = server.connects;
      server.kill();
      await server.until(() => server.connects > connects);
    }
  }
  finish(handle.requestId, 14);
  const updates = await collecting;
  assert.deepEqual(
    versions(updates),
    Array.from({ length: 14 }, (_, index) => index + 1),
  );
  assert.equal(client.connection.resumes, 3);
});

test("a question whose socket was lost is asked again with the same key", async () => {
  const client = await connect();
  server.on.submit = (_, socket) => {
    delete server.on.submit;
    socket.terminate();
    return null;
  };
  const handle = await client.submit("delay");
  const keys = server.received("submit").map(({ submission_id: key }) => key);
  assert.equal(keys.length, 2);
  assert.equal(keys[0], keys[1]);
  assert.equal(handle.requestId, "r1");
});

test("a frame that is never answered is repeated, and then given up", async () => {
  const client = await connect({ replyTimeoutMs: 5 });
  server.on.get = () => null;
  await rejected(client.get("r9"), streamer.NoReply);
  assert.equal(server.received("get").length, 3);
});

test("each connect has a token and a ticket of its own", async () => {
  let given = 0;
  const client = await connect({ token: async () => `token-${++given}` });
  server.kill();
  await server.until(() => server.connects === 2);
  await client.ping();
  assert.deepEqual(server.tokens, ["Bearer token-1", "Bearer token-2"]);
});

test("a token that is not accepted is told at once, and ends what is watched", async () => {
  server.refuseAll = 401;
  assert.equal((await rejected(connect(), streamer.ConnectRefused)).status, 401);
  assert.equal(server.tokens.length, 1);
  server.refuseAll = null;
  const client = await connect();
  const handle = await client.submit("delay");
  server.refuseAll = 403;
  server.kill();
  await rejected(handle.result(), streamer.ConnectRefused);
  assert.equal(client.connection.state, "closed");
  await rejected(client.ping(), streamer.ConnectRefused);
});

test("a server that is not there is tried again, with waits that grow and differ", async () => {
  const asked = [];
  const client = await connect({
    backoff: {
      ...BACKOFF,
      random: () => {
        asked.push(1);
        return 0;
      },
    },
  });
  server.refusals = [503, 500, 503];
  server.kill();
  await server.until(() => server.connects === 2);
  await client.ping();
  assert.equal(asked.length, 4);
  server.refuseAll = 503;
  const handle = await client.submit("delay");
  server.kill();
  await rejected(handle.result(), streamer.ConnectionLost);
  assert.equal(asked.length, 4 + BACKOFF.tries);
});

test("a server that takes connections and drops them is not asked for ever", async () => {
  const client = await connect();
  const handle = await client.submit("delay");
  server.on.subscribe = (_, socket) => {
    socket.terminate();
    return null;
  };
  server.kill();
  await rejected(handle.result(), streamer.ConnectionLost);
  assert.equal(server.connects, 1 + BACKOFF.tries);
});

test("a heartbeat that is not answered replaces the socket", async () => {
  server.on.ping = () => (server.connects === 1 ? null : server._ping());
  const client = await connect({ heartbeatMs: 5, replyTimeoutMs: 5 });
  await server.until(() => server.connects === 2 && server.received("ping").length > 3);
  assert.equal(client.connection.resumes, 1);
});

test("a socket is replaced before the platform closes it, and nothing pauses", async () => {
  let answer;
  server.on.subscribe = (frame) => new Promise((resolve) => (answer = () => resolve(server._subscribe(frame))));
  const client = await connect({ lifetimeMs: 20 });
  const states = [];
  client.addEventListener("connection", ({ detail }) => states.push(detail.state));
  const handle = await client.submit("delay");
  await server.until(() => server.received("subscribe").length === 1);
  assert.equal(server.sockets.size, 2, "the old one lives until everything is watched on the new one");
  answer();
  await server.until(() => server.sockets.size === 1);
  delete server.on.subscribe;
  finish(handle.requestId, 1);
  assert.deepEqual(await handle.result(), DONE.result);
  assert.ok(!states.includes("reconnecting"), states);
  assert.ok(client.connection.resumes >= 1);
});

test("a socket that was on its way when its user hung up is closed", async () => {
  let give;
  let asked = 0;
  const token = () => (asked++ === 0 ? "t0ken" : new Promise((resolve) => (give = () => resolve("t0ken"))));
  const client = await connect({ lifetimeMs: 5, token });
  await until(() => give !== undefined);
  client.close();
  give();
  await server.until(() => server.connects === 2);
  await server.until(() => server.sockets.size === 0);
});

test("who hangs up while connecting does not come to life again", async () => {
  let give;
  const client = make({ token: () => new Promise((resolve) => (give = () => resolve("t0ken"))) });
  const opening = client.open();
  await until(() => give !== undefined);
  client.close();
  give();
  await rejected(opening, streamer.ConnectionLost);
  await rejected(client.open(), streamer.ConnectionLost);
  assert.equal(client.connection.state, "closed");
  await server.until(() => server.connects === 1);
  await server.until(() => server.sockets.size === 0);
});

test("a socket is replaced before its token ends, when another can be had", async () => {
  const ending = (ms) => `x.${btoa(JSON.stringify({ exp: (Date.now() + ms) / 1000 }))}.x`;
  const realSetTimeout = globalThis.setTimeout;
  const waits = [];
  globalThis.setTimeout = (work, ms, ...more) => {
    waits.push(ms);
    return realSetTimeout(work, ms, ...more);
  };
  try {
    await connect({ token: () => ending(600_000) });
    await connect({ token: ending(600_000) });
  } finally {
    globalThis.setTimeout = realSetTimeout;
  }
  const lives = waits.filter((ms) => ms > 500_000);
  assert.equal(lives.length, 2);
  assert.ok(lives[0] > 550_000 && lives[0] <= 555_000, "45 s before its end");
  assert.equal(lives[1], 110 * 60_000, "the only one is used to its end");
});

test("a machine that wakes finds out at once whether its socket lives", async () => {
  const client = await connect({ wakeTimeoutMs: 5 });
  client.wake();
  await server.until(() => server.received("ping").length === 1);
  assert.equal(server.connects, 1);
  server.on.ping = () => null;
  client.wake();
  await server.until(() => server.connects === 2);
});

test("who hangs up ends what waits, and does not come back", async () => {
  const client = await connect();
  const handle = await client.submit("delay");
  server.on.get = () => null;
  const waiting = client.get("r9");
  client.close();
  await rejected(waiting, streamer.ConnectionLost);
  await rejected(handle.result(), streamer.ConnectionLost);
  await rejected(all(handle), streamer.ConnectionLost);
  await server.until(() => server.sockets.size === 0);
  assert.equal(server.connects, 1);
});

test("who hangs up does not wait until what was too much for now may be asked again", async () => {
  let waits = 0;
  const client = await connect({ backoff: { ...BACKOFF, random: () => ++waits } });
  server.on.submit = () => error("RATE_LIMITED", "slower", { retry_after_ms: 1_000_000 });
  const submits = [client.submit("delay"), client.submit("delay")];
  const ends = submits.map((one) => rejected(one, streamer.ConnectionLost));
  await until(() => waits > 0);
  client.close();
  await Promise.all(ends);
});

test("who hangs up while a socket cannot be replaced does not go on trying", async () => {
  let fail;
  let waits = 0;
  const token = () => (fail === undefined ? "t0ken" : new Promise((_, reject) => (fail = reject)));
  const client = await connect({ lifetimeMs: 5, token, backoff: { ...BACKOFF, random: () => ++waits } });
  fail = null;
  await until(() => fail !== null);
  client.close();
  fail(new Error("offline"));
  await new Promise((resolve) => setImmediate(resolve)); // what follows a rejection has happened by then
  assert.equal(waits, 0);
});

test("who no longer watches says so, unless somebody else does", async () => {
  const client = await connect();
  const one = await client.submit("delay");
  const other = await client.subscribe(one.requestId);
  await one.close();
  assert.deepEqual(server.received("unsubscribe"), []);
  await rejected(one.result(), streamer.WatchClosed);
  await other.close();
  assert.deepEqual(server.received("unsubscribe"), [{ request_id: one.requestId }]);
});

test("who no longer watches while there is no connection need not wait for one", async () => {
  let give = () => "t0ken";
  const client = await connect({ token: () => give() });
  const handle = await client.submit("delay");
  const watch = await client.watchUser("acme", "ann");
  let dialled;
  give = () => new Promise((resolve) => (dialled = () => resolve("t0ken")));
  server.kill();
  await until(() => dialled !== undefined);
  await handle.close();
  await watch.close();
  dialled();
  await client.ping();
  assert.deepEqual([server.received("unsubscribe"), server.received("subscribe").length], [[], 1]);
});

// --- topics ---

const AT = "2026-01-01T00:00:00.000Z";
const row = (requestId, version) => ({ request_id: requestId, user_id: "ann", version, state: { updated_at: AT } });

test("a topic tells its newest requests and gives out every request's updates in order", async () => {
  const client = await connect();
  server.append("r8", Array(3).fill("OutputAppended"));
  server.append("r9", ["RequestSubmitted", "AttemptStarted"]);
  server.on.subscribe = ({ topic }) => ({
    type: "subscribed",
    topic,
    requests: [row("r8", 2)],
    at: "1970-01-01T00:00:00Z",
  });
  const got = [];
  const watch = await client.watchUser("acme", "ann", {
    onUpdate: ({ requestId, version }) => got.push([requestId, version]),
  });
  assert.deepEqual(
    watch.requests.map(({ request_id: id }) => id),
    ["r8"],
  );
  server.push("r8", 2);
  server.push("r9", 2);
  server.push("r8", 3);
  await until(() => got.length >= 3);
  await client.ping();
  assert.deepEqual(got.sort(), [
    ["r8", 3],
    ["r9", 1],
    ["r9", 2],
  ]);
  assert.equal(server.received("subscribe")[0].topic, "user#acme#ann");
  await watch.close();
  assert.deepEqual(server.received("unsubscribe"), [{ topic: "user#acme#ann" }]);
});

test("another user's request is none of a user's topic", async () => {
  const client = await connect();
  const got = [];
  await client.watchUser("acme", "bob", { onUpdate: ({ requestId }) => got.push(requestId) });
  server.append("r9", ["RequestSubmitted"]);
  server.push("r9", 1); // ann's
  await client.ping();
  assert.deepEqual(got, []);
});

test("what a topic's requests did while nobody was connected is found by asking what changed", async () => {
  const client = await connect();
  const epoch = "1970-01-01T00:00:00.000Z";
  const pages = [
    { requests: [row("r8", 3)], at: epoch, more: true },
    { requests: [row("r9", 2)], at: epoch },
  ];
  server.on.subscribe = ({ topic, since }) => ({
    type: "subscribed",
    topic,
    ...(since ? pages.shift() : { requests: [], at: epoch }),
  });
  const got = [];
  await client.watchTenant("acme", { onUpdate: ({ requestId, version }) => got.push(`${requestId}:${version}`) });
  server.append("r8", ["RequestSubmitted"]);
  server.push("r8", 1);
  await client.ping();
  server.kill();
  server.append("r8", Array(2).fill("OutputAppended"));
  server.append("r9", ["RequestSubmitted", "AttemptStarted"]);
  await until(() => got.length >= 5);
  await client.ping();
  assert.deepEqual(got.sort(), ["r8:1", "r8:2", "r8:3", "r9:1", "r9:2"]);
  assert.deepEqual(
    server.received("subscribe").map(({ since }) => since),
    [undefined, epoch, epoch],
  );
});

test("a request of a topic whose events are gone is told, and the others go on", async () => {
  const client = await connect();
  const got = [];
  await client.watchTenant("acme", { onUpdate: ({ type, requestId }) => got.push([requestId, type]) });
  server.append("r8", Array(3).fill("OutputAppended"));
  const push = { type: "event", ...server.item("r8", 3) };
  server.logs.delete("r8");
  server.send(push);
  await until(() => got.length === 1);
  server.append("r9", ["RequestSubmitted"]);
  server.push("r9", 1);
  await until(() => got.length >= 2);
  assert.deepEqual(got, [
    ["r8", "EventsLost"],
    ["r9", "RequestSubmitted"],
  ]);
});

test("without a WebSocket class the client says what to do", () => {
  assert.throws(
    () => new StreamerClient({ url: "ws://x", ticketUrl: "http://x", token: "t", WebSocket: null }),
    /package ws/,
  );
});
