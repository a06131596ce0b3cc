/** Types of streamer.js: what comes from the server is named as on the wire, what the client adds in camel case. */

export type Status = "PENDING" | "PROCESSING" | "RETRYING" | "COMPLETED" | "FAILED" | "CANCELLED";

/** A JSON value; an integer beyond 2^53 is a bigint, in both directions. */
export type Json = null | boolean | number | bigint | string | Json[] | { [name: string]: Json };

export interface Failure {
  code: string;
  message?: string;
}

/** A request after some version of its log. Instants are ISO 8601 texts. */
export interface State {
  status: Status | null;
  attempt: number;
  percent: number;
  action?: string;
  priority?: number;
  max_attempts?: number;
  message?: string;
  details?: Record<string, Json>;
  outputs?: number;
  cancel_requested?: boolean;
  cancel_by?: string;
  cancel_reason?: string;
  error?: Failure;
  submitted_at?: string;
  started_at?: string;
  due_at?: string;
  updated_at?: string;
  expires_at?: string;
  [more: string]: unknown;
}

export interface EventShown {
  version: number;
  type: string;
  at: string;
  data: Record<string, any>;
}

/** A request went from `fromVersion` to `version`; type, at and data are those of the newest event. */
export class Update {
  private constructor();
  readonly requestId: string;
  readonly fromVersion: number;
  readonly version: number;
  readonly type: string;
  readonly at: Date;
  readonly data: Record<string, any>;
  /** null for an event out of the middle of what was caught up with */
  readonly state: State | null;
  /** whose request it is, where the server told */
  readonly userId: string | null;
  /** How many older progress events it stands for besides its own. */
  readonly skipped: number;
  readonly isFinal: boolean;
  /** How far the request is, where this update tells. */
  readonly percent: number | null;
  startingAt(fromVersion: number): Update;
}

export interface Heard {
  updates: Update[];
  askAfter: number | null;
}

/** The tail of one request's log: puts what arrives in order, once, and says when something is missing. No I/O. */
export class Tail {
  constructor(requestId: string, after?: number, state?: State | null);
  readonly requestId: string;
  readonly version: number;
  readonly state: State | null;
  readonly isFinal: boolean;
  ask(): Heard;
  pushed(update: Update): Heard;
  answered(answer: { version: number; state: State | null; updates: Update[] }): Heard;
  unanswered(): void;
}

export interface Listeners {
  /** Gets each update; then the handle cannot be iterated over. */
  onUpdate?: (update: Update) => void;
  /** Gets the percentage of each update that tells one. */
  onProgress?: (percent: number, update: Update) => void;
}

export interface SubmitOptions extends Listeners {
  idempotencyKey?: string;
  /** 0 to 9, 9 goes first */
  priority?: number;
  delayS?: number;
  /** fails when it has not ended so long after it was due */
  timeoutS?: number;
  maxAttempts?: number;
  metadata?: Record<string, string>;
}

export interface Submission extends SubmitOptions {
  action: string;
  payload?: unknown;
}

interface Feed extends AsyncIterable<Update> {
  /** Resolves when nothing follows any more. */
  readonly ended: Promise<void>;
  readonly hasEnded: boolean;
  readonly error: ClientError | null;
  /** Stop watching. */
  close(): Promise<void>;
}

/** One request that this client watches until it has ended: iterate over its updates, or await its result. */
export interface Handle extends Feed {
  readonly requestId: string;
  /** The version up to which everything was given out. */
  readonly version: number;
  readonly state: State | null;
  /** Throws RequestFailed, RequestCancelled, WatchClosed, or StillRunning after `timeoutMs`, downloading included. */
  result<Result = any>(options?: { timeoutMs?: number }): Promise<Result>;
  cancel(reason?: string): Promise<Ack>;
}

/** A watch of a topic: the updates of many requests, each request's in order and once. */
export interface TopicWatch extends Feed {
  readonly topic: string;
  /** The topic's newest requests as they were when the watch began. */
  readonly requests: RequestRow[];
}

export interface Ack {
  request_id: string;
  status: Status;
  version: number;
  duplicate?: boolean;
}

export interface Watcher {
  topic: string;
  connection_id: string;
  since: string;
  /** When its client last asked, the version that it had then, and up to which that was answered. */
  asked_at?: string;
  seen?: number;
  told?: number;
  /** What was not taken since: it is left to the client to ask for. */
  missed?: { from_version: number; version: number; at: string; why: string };
  /** The same in words. */
  delivered: string;
}

export interface Explanation {
  request_id: string;
  version: number;
  why: string;
  state: State;
  position?: number;
  held_by?: string;
  due_at?: string;
  view_version: number;
  attempts: {
    attempt: number;
    started_at: string;
    events: number;
    ended_at?: string;
    ended_as?: string;
    error?: Failure;
  }[];
  watchers: Watcher[];
}

export interface RequestRow {
  request_id: string;
  user_id: string;
  version: number;
  state: State;
}

export interface RequestShown {
  request_id: string;
  version: number;
  state: State;
  result?: any;
  /** A link to a large result. */
  result_url?: string;
}

export interface MetricsPage {
  rows: ({ at: string; per: "minute" | "hour" | "day" } & Record<string, number | string>)[];
  totals: Record<string, number>;
}

export interface AuditEntry {
  at: string;
  type: string;
  user_id: string;
  request_id?: string;
  version?: number;
  [more: string]: unknown;
}

export interface ActionShown {
  name: string;
  mode: "sync" | "async";
  description: string;
  scope?: string | null;
  /** The JSON schema (2020-12) of the payload. */
  input_schema: Record<string, any>;
}

/** Whether there is a connection, how often a lost socket was replaced, and why there is none any more. */
export interface ConnectionState {
  state: "connecting" | "open" | "reconnecting" | "closed";
  resumes: number;
  error: ClientError | null;
}

export interface ClientOptions {
  /** The WebSocket's address: ws_url in .local/stack.json, or the stack's output WebSocketUrl. */
  url: string;
  /** Where one-use tickets are given out: ticket_url, or the stack's output TicketUrl. */
  ticketUrl: string;
  /** A JWT, or a function that gives one for each connect. */
  token: string | (() => string | Promise<string>);
  /** Where there is no global one, as in Node 20: for example that of the package ws. */
  WebSocket?: new (url: string) => any;
  fetch?: typeof fetch;
  backoff?: { baseMs?: number; capMs?: number; tries?: number; random?: () => number };
  heartbeatMs?: number;
  lifetimeMs?: number;
  replyTimeoutMs?: number;
  wakeTimeoutMs?: number;
  tickMs?: number;
}

/** A client of one user. */
export class StreamerClient extends EventTarget {
  constructor(options: ClientOptions);
  static connect(options: ClientOptions): Promise<StreamerClient>;
  readonly connection: ConnectionState;
  open(): Promise<void>;
  close(): void;
  wake(): void;
  submit(action: string, payload?: unknown, options?: SubmitOptions): Promise<Handle>;
  /** A handle for each, in their order; a refused one's has failed. */
  submitMany(submissions: Iterable<Submission>): Promise<Handle[]>;
  call<Result = any>(action: string, payload?: unknown, options?: SubmitOptions): Promise<Result>;
  subscribe(requestId: string, options?: { after?: number } & Listeners): Promise<Handle>;
  watchTopic(topic: string, listeners?: Listeners): Promise<TopicWatch>;
  watchUser(tenantId: string, userId: string, listeners?: Listeners): Promise<TopicWatch>;
  watchTenant(tenantId: string, listeners?: Listeners): Promise<TopicWatch>;
  cancel(requestId: string, reason?: string): Promise<Ack>;
  get(requestId: string, atVersion?: number): Promise<RequestShown>;
  explain(requestId: string): Promise<Explanation>;
  history(requestId: string, after?: number): Promise<EventShown[]>;
  list(options?: { status?: Status; scope?: "own" | "tenant"; limit?: number }): Promise<RequestRow[]>;
  metrics(from: Date, to: Date, action?: string): Promise<MetricsPage>;
  audit(options: { day?: string; requestId?: string; limit?: number }): Promise<AuditEntry[]>;
  actions(): Promise<ActionShown[]>;
  ping(): Promise<Date>;
  addEventListener(
    type: "connection",
    listener: (event: CustomEvent<ConnectionState>) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: "ignored",
    listener: (event: CustomEvent<Error>) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

/** The value of a JSON text; an integer that a double cannot hold is a bigint. */
export function decode(text: string): any;
/** The JSON text of a value; a bigint is an integer in it. */
export function encode(value: unknown, indent?: number | string): string;

export class ClientError extends Error {}
export class RequestRejected extends ClientError {
  readonly code: string;
  readonly details: Record<string, any> | null;
  readonly retryAfterMs: number | null;
  readonly requestId: string | null;
}
/** Too much for now, and asked again until the tries were used up. */
export class RateLimited extends RequestRejected {}
export class RequestFailed extends ClientError {
  readonly requestId: string;
  readonly error: Failure;
}
export class RequestCancelled extends ClientError {
  readonly requestId: string;
  readonly by: string | null;
  readonly reason: string | null;
}
export class WatchClosed extends ClientError {
  readonly requestId: string;
}
export class StillRunning extends ClientError {
  readonly requestId: string;
}
export class EventsLost extends ClientError {
  readonly requestId: string;
  readonly after: number;
}
export class ConnectRefused extends ClientError {
  readonly status: number;
}
export class ConnectionLost extends ClientError {}
export class NoReply extends ClientError {
  readonly type: string;
}
export class UnreadableReply extends ClientError {}
