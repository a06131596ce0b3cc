/**
 * StreamerClient for browsers and Node: submits requests, watches them without a gap across reconnects, reads the
 * views. One ES module, no dependencies; streamer.d.ts has its types.
 *
 *     const client = await StreamerClient.connect({url, ticketUrl, token});
 *     const handle = await client.submit("delay", {seconds: 5, steps: 20});
 *     for await (const update of handle) console.log(update.type, update.percent);
 *     console.log(await handle.result());
 *     client.close();
 *
 * A browser cannot send a header with a WebSocket, so each connect posts the token to `ticketUrl` and connects with
 * the one-use ticket that it gets.
 *
 * Numbers: a JSON integer beyond 2^53 becomes a BigInt, and a BigInt is sent as a JSON integer, digit by digit.
 * A decimal becomes the nearest double, as everywhere in JavaScript.
 *
 * Durations are in milliseconds and end in `Ms`. What comes from the server (states, rows, items) is named as on the
 * wire; what the client adds is in camel case.
 */

// Bytes. API Gateway would take four times that in fragments, but nothing here can send those; for more it closes the socket.
const FRAME_LIMIT = 32_000;
const FRAME_DEPTH = 48; // arrays and objects in each other, the frame itself among them
const FRAME_DIGITS = 4300; // of an integer
const BATCH_TARGET = FRAME_LIMIT - 256; // bytes of items
const BATCH_LIMIT = 25; // items
const LARGEST_RESULT = 4 * 1024 * 1024; // bytes of JSON
const FIRST_TRIES = 3;
const ASKED_TIMES = 3;
const PAGE = 200;
const DIAL_TIMEOUT_MS = 30_000;
const REPAIRS_AT_ONCE = 8;
const SOON = 2; // ticks of silence until the first look
const LATE = 30;
const EARLY_MS = 45_000; // before a token ends, its connection is replaced
const SHORTEST_MS = 15_000; // between two connects, however soon tokens end
const REMEMBERED_MS = 10 * 60_000; // after which nothing of a request that has ended can come again
const FINAL = new Set(["COMPLETED", "FAILED", "CANCELLED"]);
const REFUSED = new Set([401, 403]);
// What says nothing about the request, only about the moment.
const PASSING = new Set(["TIMEOUT", "INTERNAL_ERROR"]); // what is too much for now is asked again anyway

// --- errors, split by what the user can do about them --------------------------------------------------------------
//
// ClientError
//   RequestRejected     the server refused a frame, or it was refused here   -> change it, or wait retryAfterMs
//     RateLimited       too much for now, and asked again until the tries were used up
//   RequestFailed       the request ended without a result                   -> see its error
//   RequestCancelled    the request was stopped                              -> nobody wanted it any more
//   WatchClosed         the handle was closed before the request ended       -> watch it again
//   StillRunning        there was no result in the time that it was given    -> go on waiting
//   EventsLost          the log no longer has what was asked for             -> get the state as it is now
//   ConnectRefused      the server does not accept the token                 -> bring another one
//   ConnectionLost      no connection, and the tries are used up             -> try again later
//   NoReply             connected, but a frame was never answered            -> report it
//   UnreadableReply     the server speaks another protocol                   -> update the client

export class ClientError extends Error {
  constructor(message, attributes = {}, cause = undefined) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    Object.assign(this, attributes);
  }
}
export class RequestRejected extends ClientError {}
export class RateLimited extends RequestRejected {}
export class RequestFailed extends ClientError {}
export class RequestCancelled extends ClientError {}
export class WatchClosed extends ClientError {}
export class StillRunning extends ClientError {}
export class EventsLost extends ClientError {}
export class ConnectRefused extends ClientError {}
export class ConnectionLost extends ClientError {}
export class NoReply extends ClientError {}
export class UnreadableReply extends ClientError {}

// --- JSON whose integers keep their value ---------------------------------------------------------------------------

const LONG = /\d{16}/;
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const INTEGER = /^-?\d{16,}$/;
const MARK = `integer-${Math.random().toString(36).slice(2)}-${Math.random().toString(36).slice(2)}:`;
const MARKED = new RegExp(`"${MARK}(-?\\d+)"`, "g");

/** The value of a JSON text; an integer that a double cannot hold is a BigInt. */
export function decode(text) {
  if (!LONG.test(text)) return JSON.parse(text);
  const marked = text.replace(STRING_OR_NUMBER, (token) =>
    INTEGER.test(token) && !Number.isSafeInteger(Number(token)) ? `"${MARK}${token}"` : token,
  );
  return JSON.parse(marked, (_, value) =>
    typeof value === "string" && value.startsWith(MARK) ? BigInt(value.slice(MARK.length)) : value,
  );
}

const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/g;
const LONG_ESCAPE = /\\(?:ud[89a-f]|.)/g;
const TOO_LONG = new RegExp(`\\d{${FRAME_DIGITS + 1}}`);

/** Why the server cannot read what `encode` made of a frame, null when it can. */
function unreadable(text) {
  // JSON.stringify escapes a surrogate only when it is half of a pair.
  if (text.match(LONG_ESCAPE)?.some((one) => one.length > 2)) return "half of a surrogate pair";
  const bare = text.replace(STRING, "");
  if (TOO_LONG.test(bare)) return `a number has at most ${FRAME_DIGITS} digits`;
  let depth = 0;
  for (const [bracket] of bare.matchAll(/[[\]{}]/g)) {
    depth += bracket === "[" || bracket === "{" ? 1 : -1;
    if (depth > FRAME_DEPTH) return `nested deeper than ${FRAME_DEPTH}`;
  }
  return null;
}

/** The JSON text of a value; a BigInt is an integer in it. `indent` is JSON.stringify's. */
export function encode(value, indent = undefined) {
  const text = JSON.stringify(value, (_, item) => (typeof item === "bigint" ? MARK + item : item), indent);
  return text === undefined ? "null" : text.replace(MARKED, "$1");
}

// --- what a watcher gets --------------------------------------------------------------------------------------------

/** A request went from `fromVersion` to `version`; type, at and data are those of the newest event. */
export class Update {
  constructor(requestId, event, state, fromVersion = event.version, userId = null) {
    this.requestId = requestId;
    this.fromVersion = fromVersion;
    this.version = event.version;
    this.type = event.type;
    this.at = new Date(event.at);
    this.data = event.data;
    this.state = state; // null for an event out of the middle of what was caught up with
    this.userId = userId; // whose request it is, where the server told
  }

  /** How many older progress events it stands for besides its own. */
  get skipped() {
    return this.version - this.fromVersion;
  }

  get isFinal() {
    return isFinal(this.state);
  }

  /** How far the request is, where this update tells. */
  get percent() {
    return this.data.percent ?? this.state?.percent ?? null;
  }

  /** The same update, for a watcher who had everything before `fromVersion`. */
  startingAt(fromVersion) {
    const same = Object.create(Update.prototype);
    return Object.assign(same, this, { fromVersion });
  }
}

function isFinal(state) {
  return state != null && FINAL.has(state.status);
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function requireEvent(event) {
  const fits =
    isObject(event) && Number.isSafeInteger(event.version) && typeof event.type === "string" && isObject(event.data);
  if (!fits) throw new UnreadableReply("an event that is not of the protocol");
  return event;
}

function updatesOf(frame) {
  const pushes = frame.type === "event" ? [frame] : frame.items;
  if (!Array.isArray(pushes)) throw new UnreadableReply("a push without items");
  return pushes.map((push) => {
    if (typeof push.request_id !== "string" || !Number.isSafeInteger(push.from_version)) {
      throw new UnreadableReply("a push that is not of the protocol");
    }
    const { request_id: requestId, state = null, from_version: from, user_id: userId = null } = push;
    return new Update(requestId, requireEvent(push.event), state, from, userId);
  });
}

function answerOf(frame) {
  const updates = (frame.events ?? []).map(
    (event) =>
      new Update(frame.request_id, requireEvent(event), event.version === frame.version ? (frame.state ?? null) : null),
  );
  return { version: frame.version, state: frame.state ?? null, updates };
}

/**
 * The tail of one request's log: puts what arrives in order, once, and says when something is missing. No I/O.
 *
 * Pushes may come twice, late, out of order, or not at all; an answer to `subscribe` overlaps with them. The rule is
 * one number: the version up to which everything was given out.
 *
 *     a push up to that version                    -> had already: drop it
 *     a push whose range starts at most one after  -> the next: give out its newest event
 *     a push whose range starts later              -> something is missing: ask for what comes after the number
 *     an answer of the log                         -> give out what is new, and ask again if it ended early
 *
 * At most one question is open at a time. What is pushed meanwhile and does not fit is not kept, only remembered as
 * existing: the log has it, and the next answer brings it.
 */
export class Tail {
  #known; // the newest version that is known to exist
  #question = null;

  constructor(requestId, after = 0, state = null) {
    this.requestId = requestId;
    this.version = after;
    this.state = state;
    this.#known = after;
  }

  /** Whether everything was given out and nothing can follow. */
  get isFinal() {
    return isFinal(this.state);
  }

  /** Ask the log for whatever was not given out yet, unless a question is open. */
  ask() {
    if (this.isFinal || this.#question !== null) return heard();
    this.#question = { after: this.version, known: this.#known };
    return heard([], this.version);
  }

  /** What follows from a push. */
  pushed(update) {
    if (this.isFinal || update.version <= this.version) return heard();
    this.#known = Math.max(this.#known, update.version);
    return update.fromVersion > this.version + 1 ? this.ask() : heard([this.#giveOut(update)]);
  }

  /** What follows from the answer to the open question; EventsLost when it withholds what exists. */
  answered(answer) {
    const question = this.#question;
    this.#question = null;
    const updates = [];
    for (const update of answer.updates) {
      if (update.version === this.version + 1 && !this.isFinal) updates.push(this.#giveOut(update));
    }
    this.#known = Math.max(this.#known, answer.version);
    if (answer.version === this.version && answer.state !== null) this.state = answer.state;
    if (this.isFinal || this.#known <= this.version) return heard(updates);
    if (question !== null && question.after === this.version && this.version < question.known) {
      throw new EventsLost("The log no longer has these events", { requestId: this.requestId, after: this.version });
    }
    return heard(updates, this.ask().askAfter);
  }

  /** The question got no answer: another may be asked. */
  unanswered() {
    this.#question = null;
  }

  #giveOut(update) {
    const given = update.startingAt(this.version + 1);
    this.version = given.version;
    this.state = given.state ?? this.state;
    return given;
  }
}

/** What follows from a frame: updates to give out, and the version after which to ask the log, if at all. */
function heard(updates = [], askAfter = null) {
  return { updates, askAfter };
}

/**
 * How long to bear a silence: the server pushes at most once, and a last push that got lost has none after it that
 * would show the gap. So what fell silent is looked at, SOON after something was heard, then at pauses that double.
 */
class Patience {
  #silent = 0;
  #bears = SOON;

  heard() {
    this.#silent = 0;
    this.#bears = SOON;
  }

  /** One more tick of silence; whether it is time to look. */
  tick() {
    if (++this.#silent < this.#bears) return false;
    this.#silent = 0;
    this.#bears = Math.min(LATE, this.#bears * 2);
    return true;
  }
}

/** Updates in the order they were given out: to a callback, or else to whoever iterates. */
class Feed {
  #waiting = [];
  #sleepers = []; // whoever iterates and has to wait
  #onUpdate;

  constructor(onUpdate) {
    this.#onUpdate = onUpdate;
    this.error = null;
    this.hasEnded = false;
    this.ended = new Promise((resolve) => {
      this.resolveEnded = resolve;
    });
  }

  /** Iteration goes on where the last one stopped, and ends when nothing can follow; several share the updates. */
  async *[Symbol.asyncIterator]() {
    if (this.#onUpdate) throw new TypeError("the updates go to the callback");
    for (;;) {
      while (this.#waiting.length > 0) yield this.#waiting.shift();
      if (this.error !== null) throw this.error;
      if (this.hasEnded) return;
      await new Promise((resolve) => this.#sleepers.push(resolve));
    }
  }

  give(updates) {
    if (!this.#onUpdate) {
      this.#waiting.push(...updates);
      return this.#wake();
    }
    for (const update of updates) tell(this.#onUpdate, update);
  }

  #wake() {
    for (const resolve of this.#sleepers.splice(0)) resolve();
  }

  end(error = null) {
    if (this.hasEnded) return;
    this.error = error;
    this.hasEnded = true;
    this.resolveEnded();
    this.#wake();
  }
}

/** Call a listener; what it throws is its own and must not stop the client. */
function tell(listener, ...what) {
  try {
    listener(...what);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** One request that this client watches until it has ended: iterate over its updates, or await its result. */
class Handle extends Feed {
  #tail;
  #client;
  #newest = null;
  #patience = new Patience();
  #answer = null;

  constructor(client, tail, onUpdate) {
    super(onUpdate);
    this.#client = client;
    this.#tail = tail;
  }

  get requestId() {
    return this.#tail.requestId;
  }

  /** The version up to which everything was given out. */
  get version() {
    return this.#tail.version;
  }

  /** The newest state that is known, null before any is. */
  get state() {
    return this.#tail.state;
  }

  /**
   * What the request results in, once it has ended; RequestFailed or RequestCancelled when in nothing, StillRunning
   * when that takes longer than `timeoutMs`, the download of a large result included.
   */
  async result({ timeoutMs = Infinity } = {}) {
    const late = new StillRunning("There is no result yet", { requestId: this.requestId });
    const waiting = new AbortController();
    const result = this.#result(waiting.signal);
    if (timeoutMs === Infinity) return result;
    return within(timeoutMs, result, late).finally(() => waiting.abort());
  }

  async #result(signal) {
    await this.ended;
    if (signal.aborted) return undefined; // nobody waits any more
    if (this.error !== null) throw this.error;
    if (this.#answer !== null) return this.#answer.data;
    if (!this.#tail.isFinal) throw new WatchClosed("No longer watched", { requestId: this.requestId });
    const { state, requestId } = this;
    const data = this.#newest?.data ?? {};
    if (state.status === "COMPLETED") {
      return this.#newest === null || "result_ref" in data ? this.#storedResult(signal) : (data.result ?? null);
    }
    if (state.status === "CANCELLED") {
      // Of who subscribed after the last event only the state tells.
      const by = data.by ?? state.cancel_by ?? null;
      const reason = data.reason ?? state.cancel_reason ?? null;
      throw new RequestCancelled(reason ?? "The request was cancelled", { requestId, by, reason });
    }
    const error = state.error ?? data.error ?? {};
    throw new RequestFailed(error.message || "The request failed", { requestId, error });
  }

  /** Ask the request to stop; a running one decides itself when, and its updates tell. */
  cancel(reason) {
    return this.#client.cancel(this.requestId, reason);
  }

  /** Stop watching; the request goes on. */
  async close() {
    this.end();
    if (this.#client._leave(this)) await this.#client._ask({ type: "unsubscribe", request_id: this.requestId });
  }

  async #storedResult(signal) {
    for (let again = false; ; again = true) {
      const reply = await this.#client.get(this.requestId);
      if (reply.result_url === undefined) return reply.result ?? null;
      try {
        return await this.#client._download(reply.result_url, signal);
      } catch (error) {
        // A link has an end, as have the credentials that it was made with: each `get` makes a new one.
        if (again || signal.aborted || !(error instanceof UnreadableReply)) throw error;
      }
    }
  }

  // --- what the client brings ---

  _answered(frame) {
    this.#answer = { data: frame.data ?? null };
    this.end();
  }

  _catchUp() {
    return this.#client._catchUp(this.#tail, this.#tail.ask(), (updates) => this.#take(updates));
  }

  _pushed(update) {
    this.#follow(this.#tail.pushed(update));
  }

  _resume() {
    this.#follow(this.#tail.ask());
  }

  /** Ask for what may have been lost on the way, when nothing was heard for a while. */
  _tick() {
    if (this.#patience.tick()) this._resume();
  }

  _fail(error) {
    this.end(error);
    this.#client._leave(this);
  }

  #follow(what) {
    this.#client._follow(
      this.#tail,
      what,
      (updates) => this.#take(updates),
      (error) => this._fail(error),
    );
  }

  #take(updates) {
    this.#newest = updates.at(-1) ?? this.#newest;
    if (updates.length > 0) this.#patience.heard();
    this.give(updates);
    if (!this.#tail.isFinal) return;
    this.end();
    this.#client._leave(this);
  }
}

/**
 * A watch of a topic: the updates of many requests, each request's in order and once.
 *
 * What was pushed while nobody was connected, or got lost on the way, is found by asking the server which requests of
 * the topic have changed since an instant, and the log what they did. The server tells with each answer from when to
 * ask the next time: its view of what changed is a little behind, so the answers overlap, and what was had is dropped.
 *
 * `requests` are the topic's newest ones as they were when the watch began. Of a request that was running before and
 * is not among those, the updates start with the next one.
 */
class TopicWatch extends Feed {
  #client;
  #userId;
  #followed = new Map(); // request id -> {tail, at, patience}
  #from = 0; // what was before this instant is not told
  #askedUntil = 0; // where the next question about changes starts
  #early = []; // what is pushed before the first answer
  #asking = false;
  #patience = new Patience();

  constructor(client, topic, onUpdate) {
    super(onUpdate);
    this.#client = client;
    this.topic = topic;
    this.requests = [];
    this.#userId = topic.startsWith("user#") ? topic.split("#")[2] : null;
  }

  /** Stop watching. */
  async close() {
    this.end();
    if (this.#client._leave(this))
      await this.#client._insist({ type: "unsubscribe", topic: this.topic }, "unsubscribed");
  }

  async _subscribe() {
    const first = await this.#client._insist({ type: "subscribe", topic: this.topic }, "subscribed");
    this.requests = first.requests ?? [];
    this.#from = this.#askedUntil = Date.parse(first.at);
    for (const { request_id: requestId, version, state } of this.requests) {
      this.#follow(new Tail(requestId, version, state), Date.parse(state.updated_at));
    }
    const early = this.#early;
    this.#early = null;
    for (const update of early) this._pushed(update);
  }

  _pushed(update) {
    if (this.#userId !== null && update.userId !== null && update.userId !== this.#userId) return;
    if (this.#early !== null) return void this.#early.push(update);
    let one = this.#followed.get(update.requestId);
    if (one === undefined) {
      const begun = Date.parse(update.state?.submitted_at ?? 0);
      one = this.#follow(new Tail(update.requestId, begun < this.#from ? update.fromVersion - 1 : 0), this.#from);
    }
    this.#repair(one, one.tail.pushed(update));
  }

  /** Subscribe again, and find what changed meanwhile. */
  _resume() {
    this.#patience.heard();
    this.#look();
  }

  /** Look after the topic, and after requests that have fallen silent. */
  _tick() {
    if (this.#patience.tick()) this.#look();
    for (const one of this.#followed.values()) {
      if (!one.tail.isFinal && one.patience.tick()) this.#repair(one, one.tail.ask());
    }
  }

  _fail(error) {
    this.end(error);
    this.#client._leave(this);
  }

  #follow(tail, at) {
    const one = { tail, at, patience: new Patience() };
    this.#followed.set(tail.requestId, one);
    return one;
  }

  #look() {
    if (this.#asking || this.#early !== null || this.hasEnded) return;
    this.#asking = true;
    const finding = this.#findChanges().finally(() => {
      this.#asking = false;
    });
    this.#client._repair(finding, (error) => this._fail(error));
  }

  async #findChanges() {
    for (let more = true; more && !this.hasEnded; ) {
      const since = new Date(this.#askedUntil).toISOString();
      const answer = await this.#client._insist({ type: "subscribe", topic: this.topic, since }, "subscribed");
      for (const { request_id: requestId, version } of answer.requests ?? []) this.#changed(requestId, version);
      this.#askedUntil = Math.max(this.#askedUntil, Date.parse(answer.at));
      more = answer.more === true;
    }
    for (const [requestId, { tail, at }] of this.#followed) {
      if (tail.isFinal && at < this.#askedUntil - REMEMBERED_MS) this.#followed.delete(requestId);
    }
  }

  #changed(requestId, version) {
    const one = this.#followed.get(requestId) ?? this.#follow(new Tail(requestId), this.#from);
    if (one.tail.version < version) this.#repair(one, one.tail.ask());
  }

  #repair(one, what) {
    const give = (updates) => {
      if (updates.length > 0) {
        one.at = updates.at(-1).at.getTime();
        one.patience.heard();
      }
      this.give(updates.filter((update) => update.at >= this.#from));
    };
    const fail = (error) => {
      const lost = error instanceof EventsLost || error.code === "NOT_FOUND";
      return lost ? this.#tellLost(one) : this._fail(error);
    };
    // The log is only read: the subscription to the topic is enough.
    this.#client._follow(one.tail, what, give, fail, "history");
  }

  /** Tell that events were missed for good, and go on with the next push of the request, if there is one. */
  #tellLost(one) {
    const { requestId, version } = one.tail;
    this.#followed.delete(requestId);
    const event = { version: version + 1, type: "EventsLost", at: one.at, data: {} };
    this.give([new Update(requestId, event, null)]);
  }
}

// --- the connection ---------------------------------------------------------------------------------------------------

/** How long to wait before each further try: anything up to a bound that doubles until the cap. */
function wait({ baseMs, capMs, random }, attempt) {
  return Math.min(capMs, baseMs * 2 ** attempt) * random();
}

/** A connection that lasts longer than its sockets; questions stay open until answered, on whichever socket. */
class Connection {
  #settings;
  #listener;
  #socket = null; // {send, giveUp, lost}
  #questions = new Map();
  #ids = 0;
  #attempt = 0;
  #ended = null;
  #hurry = () => {};
  #timers = new Set();
  #seen = false;
  #tokenEndsAt = null; // in milliseconds since 1970, when a new one can be had

  constructor(settings, listener) {
    this.#settings = settings;
    this.#listener = listener;
  }

  /** Connect for the first time; ConnectRefused or ConnectionLost soon when that is not possible. */
  async open() {
    if (this.#ended !== null) throw this.#ended;
    this.#listener.changed("connecting");
    let socket;
    try {
      socket = await this.#redial(FIRST_TRIES, true);
    } catch (error) {
      this.#end(error);
      throw error;
    }
    if (this.#ended !== null) {
      socket.giveUp(); // it was on its way when its user hung up
      throw this.#ended;
    }
    this.#attempt = 0;
    this.#live(socket);
    this.#keep(socket);
  }

  /** The reply to a frame, over however many sockets it takes; RequestRejected when it is refused. */
  ask(frame, { timeoutMs = this.#settings.replyTimeoutMs, times = ASKED_TIMES } = {}) {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    const id = String(++this.#ids);
    const text = encode({ ...frame, id });
    if (new TextEncoder().encode(text).length > FRAME_LIMIT) {
      const message = `a frame has at most ${FRAME_LIMIT} bytes`;
      return Promise.reject(new RequestRejected(message, { code: "PAYLOAD_TOO_LARGE" }));
    }
    // The server reads no id in it either, so its refusal would reach nobody.
    const flaw = unreadable(text);
    if (flaw !== null) return Promise.reject(new RequestRejected(flaw, { code: "VALIDATION_ERROR" }));
    return new Promise((resolve, reject) => {
      const question = { id, text, type: frame.type, resolve, reject, timeoutMs, times, asked: 0, timer: null };
      this.#questions.set(id, question);
      this.#pose(question);
    });
  }

  /** The machine may have slept: connect now if it was to be later, and see whether the socket still lives. */
  wake() {
    this.#hurry();
    const socket = this.#socket;
    if (socket === null) return;
    this.ask({ type: "ping" }, { timeoutMs: this.#settings.wakeTimeoutMs, times: 1 }).then(
      () => this.#listener.woken(),
      (error) => error instanceof NoReply && socket.giveUp(),
    );
  }

  /** Hang up; whoever still waits gets ConnectionLost. */
  close() {
    this.#end(new ConnectionLost("the client was closed"));
    this.#socket?.giveUp();
    this.#hurry();
  }

  async #keep(socket) {
    try {
      while (this.#ended === null) {
        const next = await this.#nextAfter(socket);
        if (this.#ended !== null) return void next?.giveUp();
        socket = next;
        this.#live(socket);
      }
    } catch (error) {
      this.#end(error);
    }
  }

  /** The socket to use when this one is lost, or before it is: then nothing pauses. */
  async #nextAfter(socket) {
    const renewed = this.#renewed();
    const next = await Promise.race([socket.lost, renewed]);
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    if (!next) renewed.then((late) => late.giveUp()); // it was on its way when the old one went
    if (this.#ended !== null) return next;
    if (next) {
      // Closed once everything is watched on the new one.
      this.#listener.settled(this.#settings.replyTimeoutMs).then(() => socket.giveUp());
      return next;
    }
    this.#socket = null;
    this.#listener.changed("reconnecting");
    return this.#redial(this.#settings.backoff.tries);
  }

  /** Another socket, when the one in use has almost reached its end. */
  #renewed() {
    const { lifetimeMs, backoff } = this.#settings;
    const tokenLife = this.#tokenEndsAt === null ? Infinity : this.#tokenEndsAt - Date.now() - EARLY_MS;
    const life = Math.min(lifetimeMs, Math.max(SHORTEST_MS, tokenLife));
    return new Promise((resolve) => {
      let attempt = 0;
      const renew = async () => {
        try {
          resolve(await this.#dial());
        } catch (error) {
          // The socket that there is is used for as long as it lives.
          const again = this.#ended === null && error instanceof ConnectionLost && attempt < backoff.tries;
          if (again) this.#later(wait(backoff, attempt++), renew);
        }
      };
      this.#later(life, renew);
    });
  }

  /** Use a socket from now on. Questions that are open are asked on it first. */
  #live(socket) {
    this.#socket = socket;
    for (const question of this.#questions.values()) this.#repeat(question);
    const { heartbeatMs, tickMs } = this.#settings;
    const beat = async () => {
      try {
        await this.ask({ type: "ping" });
      } catch (error) {
        if (error instanceof NoReply) return socket.giveUp();
        if (!(error instanceof RequestRejected)) return; // a refusal is an answer all the same
      }
      if (this.#socket === socket) this.#later(heartbeatMs, beat);
    };
    const tick = () => {
      this.#listener.tick();
      this.#later(tickMs, tick);
    };
    this.#later(heartbeatMs, beat);
    this.#later(tickMs, tick);
    const reconnected = this.#seen;
    this.#seen = true;
    this.#listener.changed("open", reconnected);
    if (reconnected) this.#listener.reconnected();
  }

  #later(ms, work) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, ms);
    this.#timers.add(timer);
  }

  /** The next socket. The waits start anew only when a socket has proved good by a frame. */
  async #redial(tries, atOnce = false) {
    let lost = new ConnectionLost("no connection to the server");
    for (let attempt = 0; this.#ended === null && this.#attempt < tries; attempt++) {
      if (!(atOnce && attempt === 0)) await this.#pause(wait(this.#settings.backoff, this.#attempt++));
      if (this.#ended !== null) break;
      try {
        return await this.#dial();
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
        lost = error;
      }
    }
    throw this.#ended ?? lost;
  }

  #pause(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #dial() {
    const url = new URL(this.#settings.url);
    url.searchParams.set("ticket", await this.#ticket());
    const socket = new this.#settings.WebSocket(url.href);
    return new Promise((resolve, reject) => {
      let lose;
      const lost = new Promise((done) => {
        lose = done;
      });
      const giveUp = () => {
        clearTimeout(timer);
        // A socket whose other side is gone takes its time to close: nobody waits for that.
        socket.onopen = socket.onmessage = socket.onclose = null;
        socket.onerror = () => {};
        socket.close();
        lose();
        reject(new ConnectionLost("the server did not take the connection"));
      };
      const timer = setTimeout(giveUp, DIAL_TIMEOUT_MS);
      socket.onopen = () => {
        clearTimeout(timer);
        resolve({ send: (text) => socket.readyState === 1 && (socket.send(text), true), giveUp, lost });
      };
      socket.onmessage = (message) => this.#hear(message.data);
      socket.onerror = () => {}; // a close follows
      socket.onclose = giveUp;
    });
  }

  /** A one-use ticket for the token, from whoever provides that. */
  async #ticket() {
    const { token, ticketUrl, fetch } = this.#settings;
    let given;
    try {
      given = typeof token === "function" ? await token() : token;
      this.#tokenEndsAt = typeof token === "function" ? endOf(given) : null; // one of its own is used to its end
    } catch (error) {
      throw error instanceof ClientError ? error : new ConnectionLost("the token provider failed", {}, error);
    }
    let answer;
    try {
      answer = await fetch(ticketUrl, {
        method: "POST",
        headers: { authorization: `Bearer ${given}` },
        cache: "no-store",
        credentials: "omit",
        signal: AbortSignal.timeout(DIAL_TIMEOUT_MS),
      });
      if (answer.ok) return (await answer.json()).ticket;
    } catch (error) {
      throw new ConnectionLost("the ticket service does not answer", {}, error);
    }
    const Refusal = REFUSED.has(answer.status) ? ConnectRefused : ConnectionLost;
    throw new Refusal(
      Refusal === ConnectRefused ? "The server does not accept the token" : "no ticket to connect with",
      { status: answer.status },
    );
  }

  /** Send a question if there is a socket; if not, it waits for the next one. Only time with one counts. */
  #pose(question) {
    question.asked += this.#socket?.send(question.text) ? 1 : 0;
    question.timer = setTimeout(() => {
      if (question.asked < question.times) return this.#pose(question);
      this.#questions.delete(question.id);
      question.reject(new NoReply("The server did not answer", { type: question.type }));
    }, question.timeoutMs);
  }

  #repeat(question) {
    clearTimeout(question.timer);
    question.asked = Math.max(0, question.asked - 1);
    this.#pose(question);
  }

  #hear(text) {
    this.#attempt = 0;
    let frame;
    let updates = null;
    try {
      frame = decode(text);
      if (!isObject(frame)) throw new UnreadableReply("a frame that is no object");
      if (frame.type === "event" || frame.type === "events") updates = updatesOf(frame);
    } catch (error) {
      return this.#listener.ignored(error);
    }
    if (updates !== null) return updates.forEach((update) => this.#listener.pushed(update));
    const question = this.#questions.get(frame.id);
    if (question === undefined) {
      // Else it was answered twice, or nobody waits any more.
      if (frame.type === "error" && frame.id === undefined) this.#listener.ignored(refusal(frame));
      return undefined;
    }
    clearTimeout(question.timer);
    this.#questions.delete(frame.id);
    return frame.type === "error" ? question.reject(refusal(frame)) : question.resolve(frame);
  }

  #end(error) {
    if (this.#ended !== null) return;
    this.#ended = error;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const question of this.#questions.values()) {
      clearTimeout(question.timer);
      question.reject(error);
    }
    this.#questions.clear();
    this.#listener.ended(error);
  }
}

/** When a JWT ends, in milliseconds since 1970; null when it does not tell. Only the server verifies it. */
function endOf(token) {
  try {
    const { exp } = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    return typeof exp === "number" ? exp * 1000 : null;
  } catch {
    return null;
  }
}

function refusal(frame) {
  const Kind = frame.code === "RATE_LIMITED" ? RateLimited : RequestRejected;
  return new Kind(frame.message, {
    code: frame.code,
    details: frame.details ?? null,
    retryAfterMs: frame.retry_after_ms ?? null,
    requestId: frame.request_id ?? null,
  });
}

/** The frame that submits one request. */
function submission(action, payload, { idempotencyKey, priority, delayS, timeoutS, maxAttempts, metadata }) {
  return {
    type: "submit",
    action,
    payload,
    idempotency_key: idempotencyKey,
    // Without one of the two, a submit whose reply was lost could be neither repeated nor given up.
    submission_id: idempotencyKey === undefined ? key() : undefined,
    priority,
    delay_s: delayS,
    timeout_s: timeoutS,
    max_attempts: maxAttempts,
    metadata,
  };
}

/** Submissions as batches of one frame each, in their order; one that is large or unreadable is alone in its own. */
function* batches(submissions) {
  let batch = [];
  let size = 0;
  for (const { action, payload = null, ...options } of submissions) {
    const frame = submission(action, payload, options);
    const text = encode({ items: [frame] });
    const length = unreadable(text) === null ? new TextEncoder().encode(text).length : BATCH_TARGET;
    if (batch.length > 0 && (batch.length === BATCH_LIMIT || size + length > BATCH_TARGET)) {
      yield batch;
      batch = [];
      size = 0;
    }
    batch.push({ frame, options });
    size += length;
  }
  if (batch.length > 0) yield batch;
}

/** Where the next page starts; UnreadableReply when that is where this one did: it would never end. */
function following(next, here) {
  if (next != null && next === here) throw new UnreadableReply("a page that is followed by itself");
  return next ?? undefined;
}

function expect(frame, type) {
  if (frame.type !== type) throw new UnreadableReply(`${frame.type} instead of ${type}`);
  return frame;
}

// --- the client ---------------------------------------------------------------------------------------------------------

/**
 * A client of one user.
 *
 * Its event `connection` tells each change of `client.connection`: {state, resumes, error}, where state is connecting,
 * open, reconnecting or closed, and resumes is how often a lost socket was replaced. Its event `ignored` tells of a
 * frame that is not of the protocol, and of an error that answers no frame.
 */
export class StreamerClient extends EventTarget {
  #connection;
  #settings;
  #handles = new Map();
  #topics = new Set();
  #expecting = 0;
  #held = [];
  #repairs = new Turns(REPAIRS_AT_ONCE);
  #lines = new Map(); // type of frame -> who was told that it is too much for now, in turn
  #open = new Set(); // the repairs under way
  #told = { state: "connecting", resumes: 0, error: null };
  #unlisten = () => {};
  #hungUp = new AbortController();

  constructor({
    url,
    ticketUrl,
    token,
    WebSocket = globalThis.WebSocket,
    fetch = globalThis.fetch,
    backoff = {},
    heartbeatMs = 5 * 60_000, // well under API Gateway's idle limit of 10 minutes
    lifetimeMs = 110 * 60_000, // under its limit of 2 hours
    replyTimeoutMs = 30_000, // above the 29 s that API Gateway gives a handler; then the frame is sent again
    wakeTimeoutMs = 10_000,
    tickMs = 10_000, // a running request is heard of that often: its worker renews its lease
  }) {
    super();
    if (!WebSocket) throw new TypeError("no WebSocket here: pass a class, for example that of the package ws");
    this.#settings = {
      url,
      ticketUrl,
      token,
      WebSocket,
      fetch: (...what) => fetch(...what), // a browser's must be called on nothing but its window
      heartbeatMs,
      lifetimeMs,
      replyTimeoutMs,
      wakeTimeoutMs,
      tickMs,
      backoff: { baseMs: 200, capMs: 20_000, tries: 22, random: Math.random, ...backoff },
    };
    this.#connection = new Connection(this.#settings, {
      changed: (state, resumed) => this.#change({ state, resumes: this.#told.resumes + (resumed ? 1 : 0) }),
      pushed: (update) => this.#pushed(update),
      reconnected: () => this.#all().forEach((watch) => watch._resume()),
      woken: () => this.#all().forEach((watch) => watch._resume()),
      settled: (ms) => within(ms, Promise.all(this.#open)).catch(() => {}), // what takes longer must do without
      tick: () => this.#all().forEach((watch) => watch._tick()),
      ignored: (error) => this.dispatchEvent(new CustomEvent("ignored", { detail: error })),
      ended: (error) => this.#end(error),
    });
  }

  /** A client that is connected. */
  static async connect(options) {
    const client = new StreamerClient(options);
    await client.open();
    return client;
  }

  /** The connection now: {state, resumes, error}. */
  get connection() {
    return this.#told;
  }

  /** Connect; ConnectRefused or ConnectionLost when that is not possible. */
  async open() {
    await this.#connection.open();
    const { document, addEventListener, removeEventListener } = globalThis;
    if (!document) return;
    const wake = () => document.visibilityState === "visible" && this.#connection.wake();
    document.addEventListener("visibilitychange", wake);
    addEventListener("online", wake);
    this.#unlisten = () => {
      document.removeEventListener("visibilitychange", wake);
      removeEventListener("online", wake);
    };
  }

  /** Hang up; handles that have not ended get ConnectionLost. */
  close() {
    this.#connection.close();
  }

  /** The machine may have slept: see at once whether the connection still lives. A browser's page does it itself. */
  wake() {
    this.#connection.wake();
  }

  /**
   * Ask for work and watch it. The same idempotency key gives the same request; a synchronous action's handle has
   * ended. With `onUpdate` or `onProgress` the updates go there instead of to whoever iterates.
   */
  async submit(action, payload = null, options = {}) {
    const frame = submission(action, payload, options);
    let handle;
    let duplicate;
    this.#expecting++;
    try {
      const reply = await this._ask(frame);
      if (reply.type === "response") {
        const ended = new Handle(this, new Tail(""), null);
        ended._answered(reply);
        return ended;
      }
      const ack = expect(reply, "ack");
      duplicate = ack.duplicate;
      handle = this.#handle(ack.request_id, 0, options);
    } finally {
      if (--this.#expecting === 0) this.#held = [];
    }
    if (duplicate) await handle._catchUp();
    return handle;
  }

  /**
   * Ask for much work in few frames, and watch it: a handle for each of `{ action, payload, ...options }`, in their
   * order. The handle of one that was refused has failed; the others are not concerned. Synchronous actions are refused.
   */
  async submitMany(submissions) {
    const handles = [];
    for (const batch of batches(submissions)) handles.push(...(await this.#submittedBatch(batch)));
    return handles;
  }

  async #submittedBatch(batch) {
    const repeated = [];
    this.#expecting++;
    try {
      const items = batch.map(({ frame }) => frame);
      const answers = await this._ask({ type: "submit_batch", items }).then(
        (reply) => expect(reply, "acks").items,
        (error) => {
          if (!(error instanceof RequestRejected)) throw error;
          return items.map(() => error);
        },
      );
      if (answers.length !== items.length)
        throw new UnreadableReply(`${answers.length} replies to ${items.length} items`);
      return answers.map((answer, index) => {
        if (answer instanceof Error || answer.type === "error") {
          const handle = new Handle(this, new Tail(""), null);
          handle._fail(answer instanceof Error ? answer : refusal(answer));
          return handle;
        }
        const handle = this.#handle(answer.request_id, 0, batch[index].options);
        if (answer.duplicate) repeated.push(handle);
        return handle;
      });
    } finally {
      if (--this.#expecting === 0) this.#held = [];
      await Promise.all(repeated.map((handle) => handle._catchUp()));
    }
  }

  /** The result of an action, however long it takes. */
  async call(action, payload = null, options = {}) {
    const handle = await this.submit(action, payload, options);
    return handle.result();
  }

  /** Watch a request from after a version on: what it did before, then live. */
  async subscribe(requestId, { after = 0, ...listeners } = {}) {
    const handle = this.#handle(requestId, after, listeners);
    try {
      await handle._catchUp();
    } catch (error) {
      handle._fail(error);
      throw error;
    }
    return handle;
  }

  /** Watch all requests of a user, or with the scope tenant:read of a tenant, by topic. */
  async watchTopic(topic, listeners = {}) {
    const watch = new TopicWatch(this, topic, listener(listeners));
    this.#topics.add(watch);
    try {
      await watch._subscribe();
    } catch (error) {
      watch._fail(error);
      throw error;
    }
    return watch;
  }

  watchUser(tenantId, userId, listeners = {}) {
    return this.watchTopic(`user#${tenantId}#${userId}`, listeners);
  }

  watchTenant(tenantId, listeners = {}) {
    return this.watchTopic(`tenant#${tenantId}`, listeners);
  }

  /** Ask a request to stop. */
  async cancel(requestId, reason = undefined) {
    return expect(await this._ask({ type: "cancel", request_id: requestId, reason }), "ack");
  }

  /** A request's state and result now, or its state as it was at a version. */
  async get(requestId, atVersion = undefined) {
    return expect(await this._ask({ type: "get", request_id: requestId, at_version: atVersion }), "request");
  }

  /** Why a request is where it is, its attempts, and what is known to have been delivered to who watches it. */
  async explain(requestId) {
    return expect(await this._ask({ type: "explain", request_id: requestId }), "explanation");
  }

  /** Every event of a request after a version. */
  async history(requestId, after = 0) {
    const events = [];
    for (let next = after; next !== undefined; ) {
      const frame = { type: "history", request_id: requestId, after: next, limit: PAGE };
      const page = expect(await this._ask(frame), "history");
      events.push(...page.events);
      next = following(page.next, next);
    }
    return events;
  }

  /** The newest requests, one's own or with the scope the tenant's. */
  list({ status = undefined, scope = "own", limit = 20 } = {}) {
    return this.#items({ type: "list", status, scope }, "requests", limit);
  }

  /** The tenant's counts from one Date until another, and their totals. */
  async metrics(from, to, action = undefined) {
    const frame = { type: "metrics", from: from.toISOString(), to: to.toISOString(), action };
    return expect(await this._ask(frame), "metrics");
  }

  /** Who did what: on a UTC day (YYYY-MM-DD) across the tenant, or to one request. */
  audit({ day = undefined, requestId = undefined, limit = Infinity } = {}) {
    return this.#items({ type: "audit", day, request_id: requestId }, "audit", limit);
  }

  /** The actions that this user may submit, each with the schema of its input. */
  async actions() {
    return expect(await this._ask({ type: "actions" }), "actions").items;
  }

  /** The server's time: the connection is alive. */
  async ping() {
    return new Date(expect(await this._ask({ type: "ping" }), "pong").at);
  }

  // --- for handles and watches ---

  /** The reply to a frame. One that is too much for now is asked again when the server says, in turn with its kind. */
  async _ask(frame) {
    try {
      return await this.#connection.ask(frame);
    } catch (error) {
      if (!(error instanceof RateLimited)) throw error;
      if (!this.#lines.has(frame.type)) this.#lines.set(frame.type, new Turns(1));
      return this.#lines.get(frame.type).taken(() => this.#again(frame, error));
    }
  }

  async #again(frame, refused) {
    const { backoff } = this.#settings;
    for (let attempt = 0; attempt < backoff.tries; attempt++) {
      await pause((refused.retryAfterMs ?? 0) + wait(backoff, attempt), this.#hungUp.signal);
      try {
        return await this.#connection.ask(frame);
      } catch (error) {
        if (!(error instanceof RateLimited)) throw error;
        refused = error;
      }
    }
    throw refused;
  }

  /** Forget a watch; whether the server is to be told: no other is on the same, and there is a line. */
  _leave(watch) {
    // What comes after a line that is lost watches only what is open then.
    const isConnected = this.#told.state === "open";
    if (watch instanceof TopicWatch) {
      const wasThere = this.#topics.delete(watch);
      return wasThere && isConnected && ![...this.#topics].some((other) => other.topic === watch.topic);
    }
    const handles = this.#handles.get(watch.requestId);
    if (!handles?.delete(watch)) return false;
    if (handles.size === 0) this.#handles.delete(watch.requestId);
    return isConnected && handles.size === 0;
  }

  /** Give out what was heard, and what the log adds to it until nothing is missing. */
  async _catchUp(tail, what, give, asking = "subscribe") {
    give(what.updates);
    while (what.askAfter !== null) {
      let answer;
      try {
        answer = await this.#answer(tail.requestId, what.askAfter, asking);
      } catch (error) {
        tail.unanswered();
        throw error;
      }
      what = tail.answered(answer);
      give(what.updates);
    }
  }

  /** The same without waiting for the log; what cannot be repaired goes to `fail`. */
  _follow(tail, what, give, fail, asking = "subscribe") {
    give(what.updates);
    if (what.askAfter === null) return;
    this._repair(this._catchUp(tail, { updates: [], askAfter: what.askAfter }, give, asking), fail);
  }

  /** Have work done in the background; its errors go to `fail`. */
  _repair(work, fail) {
    const done = work.catch(fail).finally(() => this.#open.delete(done));
    this.#open.add(done);
  }

  /** The reply to a frame; a refusal for the moment only is waited out. */
  async _insist(frame, type) {
    const { backoff } = this.#settings;
    for (let attempt = 0; ; attempt++) {
      try {
        return expect(await this.#repairs.taken(() => this._ask(frame)), type);
      } catch (error) {
        const passing = error instanceof RequestRejected && PASSING.has(error.code);
        if (!passing || attempt >= backoff.tries) throw error;
        await pause(Math.max(wait(backoff, attempt), error.retryAfterMs ?? 0), this.#hungUp.signal);
      }
    }
  }

  /** The JSON value behind a link; UnreadableReply when it cannot be had. */
  async _download(link, signal) {
    let answer;
    try {
      answer = await this.#settings.fetch(link, { credentials: "omit", signal });
      if (answer.ok) return decode(await textOf(answer.body));
    } catch (error) {
      throw new UnreadableReply("the result cannot be downloaded", {}, error);
    }
    throw new UnreadableReply("the result cannot be downloaded", { status: answer.status });
  }

  async #answer(requestId, after, asking) {
    const frame = { type: asking, request_id: requestId, after };
    try {
      return answerOf(await this._insist(frame, asking === "subscribe" ? "subscribed" : "history"));
    } catch (error) {
      if (after === 0 || error.code !== "NOT_FOUND") throw error;
      throw new EventsLost("The log no longer has these events", { requestId, after }, error);
    }
  }

  async #items(frame, type, limit) {
    const items = [];
    for (let cursor; items.length < limit; ) {
      const page = expect(await this._ask({ ...frame, limit: Math.min(PAGE, limit - items.length), cursor }), type);
      items.push(...page.items);
      cursor = following(page.cursor, cursor);
      if (cursor === undefined) break;
    }
    return items;
  }

  #handle(requestId, after, listeners) {
    const handle = new Handle(this, new Tail(requestId, after), listener(listeners));
    if (!this.#handles.has(requestId)) this.#handles.set(requestId, new Set());
    this.#handles.get(requestId).add(handle);
    for (const update of this.#held) if (update.requestId === requestId) handle._pushed(update);
    return handle;
  }

  #pushed(update) {
    for (const watch of [...(this.#handles.get(update.requestId) ?? []), ...this.#topics]) watch._pushed(update);
    // The server subscribes before it acknowledges: a push can come before the reply that tells whose it is.
    if (this.#expecting > 0 && !this.#handles.has(update.requestId)) this.#held.push(update);
  }

  #all() {
    return [...[...this.#handles.values()].flatMap((handles) => [...handles]), ...this.#topics];
  }

  #change(told) {
    this.#told = { ...this.#told, ...told };
    this.dispatchEvent(new CustomEvent("connection", { detail: this.#told }));
  }

  #end(error) {
    this.#unlisten();
    this.#hungUp.abort();
    for (const watch of this.#all()) watch._fail(error);
    this.#change({ state: "closed", error });
  }
}

/** The text of a body; an Error when it is longer than any result. */
async function textOf(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (let size = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    size += value.length;
    if (size > LARGEST_RESULT) {
      await reader.cancel();
      throw new UnreadableReply(`a result has at most ${LARGEST_RESULT} bytes`);
    }
    text += decoder.decode(value, { stream: true });
  }
}

/** What a promise becomes, or a rejection with the error when that takes longer. */
function within(ms, promise, error = undefined) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(error), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Wait so long, or until the signal comes. */
function pause(ms, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, signal.aborted ? 0 : ms);
    signal.addEventListener("abort", done);
  });
}

/** So many at once, the others in turn. */
class Turns {
  #free;
  #waiting = [];

  constructor(free) {
    this.#free = free;
  }

  async taken(work) {
    if (this.#free > 0) this.#free--;
    else await new Promise((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}

function listener({ onUpdate = null, onProgress = null }) {
  if (!onProgress) return onUpdate;
  return (update) => {
    onUpdate?.(update);
    if (update.percent !== null) onProgress(update.percent, update);
  };
}

/** A key that no other submit has: crypto.randomUUID is missing on pages that are not served securely. */
function key() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
