/** A server on real sockets that speaks the protocol from logs in memory; the test decides what is pushed and lost. */

import { EventEmitter, once } from "node:events";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const STATUS = {
  RequestSubmitted: "PENDING",
  AttemptStarted: "PROCESSING",
  RequestCompleted: "COMPLETED",
  RequestFailed: "FAILED",
  RequestCancelled: "CANCELLED",
};
const EPOCH = "1970-01-01T00:00:00.000Z";

/** `on[type]` replaces the reply to frames of a type; a script that gives null leaves the frame unanswered. */
export class ScriptedServer {
  logs = new Map();
  byKey = new Map();
  frames = [];
  tokens = []; // the bearer of each POST for a ticket
  refusals = []; // the status of the next POSTs for a ticket
  refuseAll = null;
  files = new Map();
  on = {};
  sockets = new Set();
  connects = 0;
  #tickets = new Set();
  #changes = new EventEmitter();
  #http = createServer((request, response) => this.#serve(request, response));
  #ws = new WebSocketServer({ noServer: true });

  static async start() {
    const server = new ScriptedServer();
    server.#http.on("upgrade", (request, socket, head) => server.#upgrade(request, socket, head));
    server.#http.listen(0, "127.0.0.1");
    await once(server.#http, "listening");
    return server;
  }

  async stop() {
    this.kill();
    this.#http.close();
    this.#http.closeAllConnections();
    await once(this.#http, "close");
  }

  get #address() {
    return `127.0.0.1:${this.#http.address().port}`;
  }

  get url() {
    return `ws://${this.#address}/stage`;
  }

  get ticketUrl() {
    return `http://${this.#address}/ticket`;
  }

  link(name) {
    return `http://${this.#address}/files/${name}`;
  }

  // --- what the test does ---

  /** Add events to a request's log, each with the data; the newest version. */
  append(requestId, types, data = {}) {
    if (!this.logs.has(requestId)) this.logs.set(requestId, []);
    const log = this.logs.get(requestId);
    for (const type of [types].flat()) log.push({ version: log.length + 1, type, at: EPOCH, data });
    return log.length;
  }

  progress(requestId, ...percents) {
    for (const percent of percents) this.append(requestId, "ProgressReported", { percent });
    return this.logs.get(requestId).length;
  }

  /** The push that covers a range of versions. */
  item(requestId, from, version = from) {
    const event = this.logs.get(requestId)[version - 1];
    const state = this.state(requestId, version);
    return { request_id: requestId, from_version: from, version, user_id: "ann", event, state };
  }

  push(requestId, from, version = from) {
    this.send({ type: "event", ...this.item(requestId, from, version) });
  }

  send(frame) {
    const text = typeof frame === "string" ? frame : JSON.stringify(frame);
    for (const socket of this.sockets) socket.send(text);
  }

  /** Cut all sockets, without a farewell. */
  kill() {
    for (const socket of this.sockets) socket.terminate();
  }

  /** Wait until a condition of this server holds; it is looked at after every connect, frame and cut. */
  async until(condition) {
    while (!condition()) await once(this.#changes, "change");
  }

  /** The frames of a type that came, without their ids. */
  received(kind) {
    return this.frames.filter(({ type }) => type === kind).map(({ id: _, type: __, ...rest }) => rest);
  }

  state(requestId, version) {
    const state = { status: null, attempt: 0, percent: 0, submitted_at: EPOCH, updated_at: EPOCH };
    for (const { type, data } of this.logs.get(requestId).slice(0, version)) {
      state.status = STATUS[type] ?? state.status;
      if ("percent" in data) state.percent = data.percent;
      if ("error" in data) state.error = data.error;
      if (type === "CancelRequested") [state.cancel_by, state.cancel_reason] = [data.by, data.reason];
    }
    return state;
  }

  // --- what the protocol says ---

  #serve(request, response) {
    const { pathname } = new URL(request.url, "http://127.0.0.1");
    if (this.files.has(pathname.replace("/files/", "")))
      return response.end(this.files.get(pathname.replace("/files/", "")));
    if (pathname !== "/ticket" || request.method !== "POST") return response.writeHead(404).end();
    this.tokens.push(request.headers.authorization);
    const status = this.refuseAll ?? this.refusals.shift();
    this.#changes.emit("change");
    if (status) return response.writeHead(status).end();
    const ticket = `ticket-${this.tokens.length}`;
    this.#tickets.add(ticket);
    return response.end(JSON.stringify({ ticket }));
  }

  #upgrade(request, socket, head) {
    const ticket = new URL(request.url, "http://127.0.0.1").searchParams.get("ticket");
    if (!this.#tickets.delete(ticket)) return socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n");
    return this.#ws.handleUpgrade(request, socket, head, (made) => this.#live(made));
  }

  #live(socket) {
    this.connects++;
    this.sockets.add(socket);
    socket.on("close", () => {
      this.sockets.delete(socket);
      this.#changes.emit("change");
    });
    socket.on("message", async (data) => {
      const frame = JSON.parse(data.toString());
      this.frames.push(frame);
      const script = this.on[frame.type] ?? this[`_${frame.type}`];
      this.#changes.emit("change");
      const reply = await script.call(this, frame, socket);
      if (reply !== null) socket.send(JSON.stringify({ ...reply, id: frame.id }));
      this.#changes.emit("change");
    });
    this.#changes.emit("change");
  }

  _submit({ action, payload, idempotency_key, submission_id }) {
    const key = idempotency_key ?? submission_id;
    if (action === "echo") return { type: "response", data: payload };
    const known = this.byKey.has(key);
    if (!known) this.byKey.set(key, `r${this.byKey.size + 1}`);
    const requestId = this.byKey.get(key);
    if (!known) this.append(requestId, "RequestSubmitted", { action });
    const version = this.logs.get(requestId).length;
    const { status } = this.state(requestId, version);
    return { type: "ack", request_id: requestId, status, version, duplicate: known };
  }

  _submit_batch({ items }) {
    const refused = { type: "error", code: "INVALID_ACTION", message: "Unknown action" };
    return { type: "acks", items: items.map((item) => (item.action === "nope" ? refused : this._submit(item))) };
  }

  _subscribe({ topic, request_id: requestId, after = 0 }) {
    if (topic !== undefined) return { type: "subscribed", topic, requests: [], at: EPOCH };
    return this.#logged("subscribed", requestId, after);
  }

  _history({ request_id: requestId, after }) {
    const reply = this.#logged("history", requestId, after);
    if (reply.events?.length > 2) {
      reply.events.length = 2;
      reply.next = reply.events[1].version;
    }
    return reply;
  }

  #logged(type, requestId, after) {
    const log = this.logs.get(requestId);
    if (log === undefined) return error("NOT_FOUND", "No such request");
    const state = this.state(requestId, log.length);
    return { type, request_id: requestId, version: log.length, state, events: log.slice(after) };
  }

  _unsubscribe() {
    return { type: "unsubscribed" };
  }

  _cancel({ request_id: requestId, reason }) {
    const version = this.append(requestId, "RequestCancelled", { by: "ann", reason });
    return { type: "ack", request_id: requestId, status: "CANCELLED", version };
  }

  _get({ request_id: requestId, at_version: at }) {
    const version = at ?? this.logs.get(requestId).length;
    return { type: "request", request_id: requestId, version, state: this.state(requestId, version), result: 42 };
  }

  _ping() {
    return { type: "pong", at: EPOCH };
  }
}

export function error(code, message, more = {}) {
  return { type: "error", code, message, ...more };
}
