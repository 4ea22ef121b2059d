/**
 * A client for the WebRTC signalling server rtcsig, for browsers and Node.
 *
 *     const client = new SignallingClient("wss://example.org/", "alice");
 *     client.addEventListener("message", ({ detail: { from, message } }) => ...);
 *     await client.connect();
 *     await client.send("bob", { type: "offer", sdp });
 *
 * It comes back by itself. To a peer with the same additions each message arrives once and in
 * order, or its `send` fails; the types are in rtcsig.d.ts, the protocol is in docs/protocol.md.
 */

const WINDOW = 64;
const MAX_UNSENT = 10_000;
const MAX_PEERS_REMEMBERED = 10_000;
const MAX_STREAMS_PER_SENDER = 2;
const MAX_STREAM_LENGTH = 64;
const MAX_WATCHED = 1000;
// So many names of any kind are no message that is too large.
const ASKED_TOGETHER = 25;
const MAX_ID_LENGTH = 128;

const ACK_DELAY_MS = 50;
const ACK_AFTER_MESSAGES = 16;
const RESEND_PAUSE_MS = 500;
const RETRANSMIT_MS = 3_000;
const RETRANSMIT_CAP_MS = 30_000;

const OPENING_TIMEOUT_MS = 10_000;
const WELCOME_TIMEOUT_MS = 5_000;
const PONG_TIMEOUT_MS = 5_000;
const SETTLED_MS = 5_000;
const TICK_MS = 15_000;
const SILENCE_MS = 45_000;
const SLEEP_MS = 10_000;
// The timers of a hidden page may fire only once a minute, with nobody asleep.
const THROTTLED_MS = 60_000;
const HIDDEN_MS = 30_000;
// What a browser calls offline may still reach a server on this machine.
const OFFLINE_RETRY_MS = 60_000;

const BACKOFF_BASE_MS = 500;
const BACKOFF_CAP_MS = 30_000;

const REPLACED = 4500;
const ID_TAKEN = 4409;
const RESTARTS = 1012;
// Not 1000, for which the server would take the peer for gone at once.
const DROPPED = 4000;
const FINAL_CODES = new Set([1002, 1003, 1007, 1008, 1009, 1010]);

// -- Errors ----------------------------------------------------------------------------------

/** What every error of this module is. */
export class SignallingError extends Error {
  constructor(message) {
    super(message);
    this.name = new.target.name;
  }
}

/** A message may not have arrived; `code` says why, in the server's words. */
export class DeliveryError extends SignallingError {
  constructor(peer, code, message) {
    super(message);
    this.peer = peer;
    this.code = code;
  }
}

/** The peer is not there. */
export class PeerNotFoundError extends DeliveryError {}

/** The peer is away for the moment, and too much is held for it already. */
export class NotHeldError extends PeerNotFoundError {}

/** More is waiting in this client than it keeps; `send` less, or later. */
export class TooMuchWaitingError extends DeliveryError {
  constructor(peer) {
    super(peer, "too-much-waiting", "too much is waiting");
  }
}

/** The client was closed by `close`, or not yet connected. */
export class ClosedError extends SignallingError {}

/** The server ended the connection for good; `code` and `reason` are those of the close. */
export class RefusedError extends SignallingError {
  constructor(code, reason) {
    super(`the server closed with ${code}${reason ? `: ${reason}` : ""}`);
    this.code = code;
    this.reason = reason;
  }
}

/** Somebody else has this id. */
export class IdTakenError extends RefusedError {}

/** Somebody newer has this id from now on. */
export class ReplacedError extends RefusedError {}

// -- Back-off --------------------------------------------------------------------------------

/** How long to wait after so many failures in a row: anything up to a bound that doubles. */
export function backoffMs(attempt, random = Math.random) {
  return random() * Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** attempt);
}

/** What follows from a close: `{ error }` for good, or `{ retryMs }`. */
export function afterClose(code, reason, { attempt, waitForId = false, random = Math.random }) {
  if (isFinal(code) || (code === ID_TAKEN && !waitForId)) {
    const ErrorOfCode = { [ID_TAKEN]: IdTakenError, [REPLACED]: ReplacedError }[code];
    return { error: new (ErrorOfCode ?? RefusedError)(code, reason) };
  }
  const told = code === RESTARTS && /\bretry_after_s=(\d{1,6})\b/.exec(reason);
  if (told) return { retryMs: told[1] * 1000 + random() * Math.max(1000, told[1] * 500) };
  return { retryMs: backoffMs(attempt, random) };
}

function isFinal(code) {
  return FINAL_CODES.has(code) || (code >= REPLACED && code <= 4999);
}

// -- Numbered messages -----------------------------------------------------------------------

/** @internal The messages to one peer: kept, in order, until they are acknowledged. */
export class Outgoing {
  // Everything that is neither acknowledged nor given up; the first `#sent` are on their way.
  #queue = [];
  #sent = 0;
  #mode = "paused";
  #newest = 0;
  #highestSent = 0;
  #acknowledged = 0;
  #resentAt = -Infinity;
  #waitMs = RETRANSMIT_MS;
  #timer;

  /** `doubt` is called when nothing was heard of what was sent for a while. */
  constructor({ peer, stream, transmit, timers, doubt = () => {}, maxUnsent = MAX_UNSENT }) {
    this.peer = peer;
    this.doubt = doubt;
    this.stream = stream;
    this.maxUnsent = maxUnsent;
    this.transmit = transmit;
    this.timers = timers;
  }

  get isIdle() {
    return this.#queue.length === 0;
  }

  /** Take a message, as the text of an object that has at least one member. */
  push(body) {
    if (this.#queue.length - this.#sent >= this.maxUnsent) {
      return Promise.reject(new TooMuchWaitingError(this.peer));
    }
    return new Promise((resolve, reject) => {
      this.#newest += 1;
      this.#queue.push({ n: this.#newest, body, resolve, reject });
      this.#pump();
    });
  }

  /** There is a connection: send all of it again. Without numbers nobody will acknowledge. */
  open(isNumbered) {
    this.pause();
    this.#mode = isNumbered ? "numbered" : "plain";
    this.#waitMs = RETRANSMIT_MS;
    this.#pump();
  }

  /** Send nothing until `open`. */
  pause() {
    this.#mode = "paused";
    this.#sent = 0;
    this.#stopTimer();
  }

  /** Everything up to `n` has arrived. */
  acknowledge(n) {
    if (n > this.#highestSent || n < this.#acknowledged) return;
    this.#acknowledged = n;
    const before = this.#queue.length;
    while (this.#queue[0]?.n <= n) this.#queue.shift().resolve();
    const arrived = before - this.#queue.length;
    this.#sent = Math.max(0, this.#sent - arrived);
    if (arrived) {
      this.#waitMs = RETRANSMIT_MS;
      this.#stopTimer();
      this.#pump();
    } else if (this.#sent && this.#isTimeToResend()) {
      this.#resend();
    }
  }

  /** The server says that this message did not arrive. Later ones stay. */
  giveUp(n, error) {
    const index = this.#queue.findIndex((entry) => entry.n === n);
    if (index < 0) return;
    const [{ reject }] = this.#queue.splice(index, 1);
    if (index < this.#sent) this.#sent -= 1;
    if (!this.#sent) this.#stopTimer();
    reject(error);
    this.#pump();
  }

  giveUpAll(error) {
    this.pause();
    for (const { reject } of this.#queue.splice(0)) reject(error);
  }

  #pump() {
    if (this.#mode === "plain") {
      for (const { body, resolve } of this.#queue.splice(0)) {
        this.transmit(body);
        resolve();
      }
    }
    if (this.#mode !== "numbered") return;
    while (this.#sent < Math.min(WINDOW, this.#queue.length)) {
      const { n, body } = this.#queue[this.#sent++];
      this.#highestSent = Math.max(this.#highestSent, n);
      const tag = { stream: this.stream, n, base: this.#queue[0].n };
      this.transmit(`${body.slice(0, -1)},"rtcsig":${JSON.stringify(tag)}}`);
    }
    if (this.#sent) this.#timer ??= this.timers.setTimeout(() => this.#timeout(), this.#waitMs);
  }

  #timeout() {
    this.#waitMs = Math.min(2 * this.#waitMs, RETRANSMIT_CAP_MS);
    this.#resend();
    this.doubt();
  }

  #resend() {
    this.#resentAt = this.timers.now();
    this.#stopTimer();
    this.#sent = 0;
    this.#pump();
  }

  #isTimeToResend() {
    const elapsedMs = this.timers.now() - this.#resentAt;
    return elapsedMs < 0 || elapsedMs >= RESEND_PAUSE_MS; // the clock may be set back
  }

  #stopTimer() {
    this.timers.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** @internal What came from everybody: which messages are new, and what to acknowledge. */
export class Incoming {
  #senders = new Map();
  #due = new Set();
  #acknowledgedAt = -Infinity;
  #timer;

  /** `acknowledge(sender, stream, n)` says whether it could be sent. */
  constructor({ acknowledge, timers, maxSenders = MAX_PEERS_REMEMBERED }) {
    this.acknowledge = acknowledge;
    this.timers = timers;
    this.maxSenders = maxSenders;
  }

  /** Whether the message is the next one, and so to be handed over. */
  receive(sender, { stream, n, base }) {
    const record = this.#record(sender, stream, base);
    record.expected = Math.max(record.expected, base);
    const isNext = n === record.expected;
    if (isNext) record.expected += 1;
    record.count += 1;
    this.#due.add(record);
    // Of a whole window that comes again, the first says it all; and whoever sends what is not
    // the next one shall not have an answer to each.
    const isQuiet = Math.abs(this.timers.now() - this.#acknowledgedAt) >= ACK_DELAY_MS;
    const isUrgent = !isNext && isQuiet;
    if (isUrgent || record.count >= ACK_AFTER_MESSAGES) this.#acknowledge(record);
    else this.#timer ??= this.timers.setTimeout(() => this.flush(), ACK_DELAY_MS);
    return isNext;
  }

  /** Acknowledge all that is due; what cannot be sent stays due. */
  flush() {
    this.timers.clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const record of this.#due) this.#acknowledge(record);
  }

  #acknowledge(record) {
    if (!this.acknowledge(record.sender, record.stream, record.expected - 1)) return;
    record.count = 0;
    this.#acknowledgedAt = this.timers.now();
    this.#due.delete(record);
  }

  #record(sender, stream, base) {
    const streams = this.#senders.get(sender) ?? new Map();
    this.#senders.delete(sender); // and in again, as the newest
    this.#senders.set(sender, streams);
    const fresh = { sender, stream, expected: base, count: 0 };
    if (!streams.has(stream)) streams.set(stream, fresh);
    if (streams.size > MAX_STREAMS_PER_SENDER) this.#forget(streams);
    if (this.#senders.size > this.maxSenders) this.#forget(this.#senders);
    return streams.get(stream);
  }

  #forget(map) {
    const [oldest, value] = map.entries().next().value;
    map.delete(oldest);
    for (const record of value instanceof Map ? value.values() : [value]) this.#due.delete(record);
  }
}

function isTag(tag) {
  const { stream, n, base } = tag ?? {};
  const isStream = typeof stream === "string" && stream && stream.length <= MAX_STREAM_LENGTH;
  return isStream && Number.isSafeInteger(n) && Number.isSafeInteger(base) && 0 < base && base <= n;
}

// -- The client ------------------------------------------------------------------------------

const SYSTEM_TIMERS = {
  setTimeout: (call, ms) => setTimeout(call, ms),
  clearTimeout: (timer) => clearTimeout(timer),
  now: () => Date.now(),
};

/** A peer of a signalling server. Its events are `state`, `message`, `presence`, `problem`. */
export class SignallingClient extends EventTarget {
  #url;
  #key;
  #id;
  #options;
  #timers;
  #state = "stopped";
  #isNumbered = false;
  #hasAdditions = false;
  #socket;
  #token;
  #failures = 0;
  #openedAt = 0;
  #heardAt = 0;
  #hiddenAt;
  #pending = new Map();
  #watched = new Set();
  #outgoing = new Map();
  #incoming;
  #opened = settleable();
  #error;
  #listening;

  constructor(url, peerId, options = {}) {
    super();
    const { window, document, navigator, crypto } = globalThis;
    const system = { WebSocket: globalThis.WebSocket, window, document, navigator, crypto };
    this.#options = { ...system, random: Math.random, waitForId: false, ...options };
    this.#timers = options.timers ?? SYSTEM_TIMERS;
    this.#id = checkedId(peerId);
    this.#url = new URL(url);
    this.#url.pathname = `${this.#url.pathname.replace(/\/$/, "")}/${encodeURIComponent(peerId)}`;
    this.#key = `rtcsig ${this.#url}`;
    this.#token = this.#store((storage) => storage.getItem(this.#key)) ?? undefined;
    const acknowledge = (id, stream, ack) =>
      this.#isNumbered && this.#transmit({ id, type: "ack", rtcsig: { stream, ack } });
    this.#incoming = new Incoming({ acknowledge, timers: this.#timers });
  }

  get id() {
    return this.#id;
  }

  /** One of `connecting`, `open`, `waiting`, `stopped`. */
  get state() {
    return this.#state;
  }

  /** Fulfilled when the connection is open for the first time, rejected when it never will be. */
  get opened() {
    return this.#opened.promise;
  }

  /** Connect, and stay connected until `close`. Returns `opened`. */
  connect() {
    if (this.#state !== "stopped") return this.opened;
    if (this.#opened.isSettled) this.#opened = settleable();
    this.#error = undefined;
    this.#failures = 0;
    this.#listen();
    this.#tick();
    this.#attempt();
    return this.opened;
  }

  /** Leave, for good or until `connect`: the server takes this peer for gone at once. */
  close() {
    const socket = this.#release();
    this.#keepToken(undefined);
    if (this.#state === "stopped") return;
    socket?.close(1000);
    this.#stop(new ClosedError("the client was closed"));
  }

  /** Send an object to a peer; fulfilled when it has arrived. */
  async send(peer, message) {
    const plain = JSON.parse(JSON.stringify(message) ?? "null");
    if (typeof peer !== "string" || !peer) throw new TypeError("the peer's id is a string");
    if (plain === null || typeof plain !== "object" || Array.isArray(plain)) {
      throw new TypeError("a message is an object");
    }
    if (this.#state === "stopped") throw this.#error ?? new ClosedError("not connected");
    const { rtcsig: _, ...members } = plain;
    return this.#outgoingTo(peer).push(JSON.stringify({ ...members, id: peer }));
  }

  /** Have `presence` events of these peers from now on, over reconnections too. */
  watch(...peers) {
    for (const peer of peers) checkId(peer);
    const watched = new Set([...this.#watched, ...peers]);
    if (watched.size > MAX_WATCHED) throw new RangeError(`at most ${MAX_WATCHED} can be watched`);
    const added = [...watched].filter((peer) => !this.#watched.has(peer));
    this.#watched = watched;
    this.#ask("watch", added);
  }

  unwatch(...peers) {
    const removed = peers.filter((peer) => this.#watched.delete(peer));
    this.#ask("unwatch", removed);
  }

  // The connection

  #attempt() {
    this.#cancel("retry");
    const url = new URL(this.#url);
    url.protocol = url.protocol.replace("http", "ws");
    url.searchParams.set("rtcsig", "1");
    url.searchParams.set("refuse", "close");
    if (this.#token) url.searchParams.set("token", this.#token);
    let socket;
    try {
      socket = new this.#options.WebSocket(url.href);
    } catch (error) {
      this.#stop(error); // a page of https: may open no ws:, and never will
      return;
    }
    this.#socket = socket;
    const guarded = (handle) => (event) => socket === this.#socket && handle(event);
    let wasOpen = false;
    socket.onopen = guarded(() => {
      wasOpen = true;
      this.#awaitWelcome();
    });
    socket.onmessage = guarded(({ data }) => this.#receive(data));
    socket.onclose = guarded(({ code, reason }) => this.#lost(code, reason));
    // After an attempt that failed, Node 20 has no close that follows.
    socket.onerror = guarded(() => wasOpen || this.#lost(1006, ""));
    this.#after("opening", OPENING_TIMEOUT_MS, () => this.#drop());
    this.#change("connecting");
  }

  #awaitWelcome() {
    // Who had the additions once will welcome again, be it late.
    if (this.#hasAdditions) return;
    this.#cancel("opening");
    this.#after("opening", WELCOME_TIMEOUT_MS, () => this.#open({ isNumbered: false }));
  }

  #open({ isNumbered, token, resumed = false }) {
    this.#cancel("opening");
    this.#isNumbered = isNumbered;
    this.#hasAdditions ||= isNumbered;
    this.#openedAt = this.#heardAt = this.#timers.now();
    if (token) this.#keepToken(token);
    this.#state = "open";
    this.#ask("watch", [...this.#watched]);
    this.#incoming.flush();
    for (const outgoing of this.#outgoing.values()) outgoing.open(isNumbered);
    this.#opened.resolve();
    this.#change("open", { numbered: isNumbered, resumed });
  }

  /** Have done with a connection that does not answer. */
  #drop() {
    this.#release().close(DROPPED);
    this.#lost(1006, "");
  }

  #lost(code, reason) {
    const wasOpen = this.#state === "open";
    this.#release();
    if (wasOpen && this.#timers.now() - this.#openedAt >= SETTLED_MS) this.#failures = 0;
    const { waitForId, random } = this.#options;
    const next = afterClose(code, reason, { attempt: this.#failures, waitForId, random });
    this.#failures += 1;
    if (next.error) this.#stop(next.error);
    else this.#wait(next.retryMs);
  }

  #wait(retryMs) {
    const offline = this.#options.navigator?.onLine === false;
    const waitMs = offline ? Math.max(retryMs, OFFLINE_RETRY_MS) : retryMs;
    this.#after("retry", waitMs, () => this.#attempt());
    this.#change("waiting", { retryMs: waitMs, offline });
  }

  #stop(error) {
    this.#release();
    this.#cancel("tick");
    this.#listening?.abort();
    if (error instanceof ReplacedError) this.#keepToken(undefined);
    this.#error = error;
    this.#state = "stopped";
    for (const outgoing of this.#outgoing.values()) outgoing.giveUpAll(error);
    this.#opened.reject(error);
    this.#change("stopped", error instanceof ClosedError ? {} : { error });
  }

  /** Let go of the socket, whatever it still has to say. */
  #release() {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#isNumbered = false;
    for (const name of ["opening", "retry", "pong"]) this.#cancel(name);
    for (const outgoing of this.#outgoing.values()) outgoing.pause();
    return socket;
  }

  // Messages

  #receive(data) {
    this.#heardAt = this.#timers.now();
    const parsed = parsedObject(data);
    if (!parsed) return;
    const { id, rtcsig, ...message } = parsed;
    if (id === "" && message.type === "welcome") {
      this.#open({ isNumbered: true, ...message });
      return;
    }
    if (this.#state === "connecting") this.#open({ isNumbered: false });
    // Who was told that it is open may have closed.
    if (this.#state !== "open") return;
    if (id === "") this.#hear(message);
    else if (this.#isNumbered) this.#receiveFrom(id, rtcsig, message);
    else if (message.type === "error") this.#emit("problem", { peer: id, ...message });
    else this.#emit("message", { from: id, message });
  }

  /** What the server itself says. */
  #hear({ type, peer, state, ...rest }) {
    if (type === "presence" && this.#watched.has(peer)) this.#emit("presence", { peer, state });
    else if (type === "pong") this.#cancel("pong");
    else if (type === "error") this.#emit("problem", { peer: "", ...rest });
  }

  #receiveFrom(id, tag, message) {
    const { type, code } = message;
    const outgoing = this.#outgoing.get(id);
    const isOurs = outgoing !== undefined && outgoing.stream === tag?.stream;
    // First: what a program sends may well be of the type `error`.
    if (isTag(tag)) {
      if (this.#incoming.receive(id, tag)) this.#emit("message", { from: id, message });
    } else if (type === "ack" && Number.isSafeInteger(tag?.ack)) {
      if (isOurs) outgoing.acknowledge(tag.ack);
    } else if (type === "error" && tag) {
      if (isOurs && code === "stopping") outgoing.pause();
      else if (isOurs) outgoing.giveUp(tag.n, deliveryError(id, message));
    } else {
      this.#emit("message", { from: id, message });
    }
  }

  #outgoingTo(peer) {
    const known = this.#outgoing.get(peer);
    if (known) return known;
    if (this.#outgoing.size >= MAX_PEERS_REMEMBERED) {
      const idle = [...this.#outgoing.values()].find((each) => each.isIdle);
      if (idle) this.#outgoing.delete(idle.peer);
    }
    const stream = randomText(this.#options.crypto);
    const transmit = (text) => this.#socket.send(text);
    const doubt = () => this.#wake();
    const outgoing = new Outgoing({ peer, stream, transmit, doubt, timers: this.#timers });
    this.#outgoing.set(peer, outgoing);
    if (this.#state === "open") outgoing.open(this.#isNumbered);
    return outgoing;
  }

  #transmit(message) {
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Say something to the server itself, if there is one that understands. */
  #tell(message) {
    if (this.#isNumbered) this.#transmit({ id: "", ...message });
  }

  #ask(type, peers) {
    for (let at = 0; at < peers.length; at += ASKED_TOGETHER) {
      this.#tell({ type, peers: peers.slice(at, at + ASKED_TOGETHER) });
    }
  }

  // The life of the page

  #listen() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    const { window, document } = this.#options;
    const wake = () => this.#wake();
    window?.addEventListener?.("online", wake, { signal });
    window?.addEventListener?.("offline", () => this.#rest(), { signal });
    window?.addEventListener?.("pageshow", ({ persisted }) => persisted && wake(), { signal });
    window?.addEventListener?.("pagehide", () => this.#keepToken(this.#token), { signal });
    document?.addEventListener("visibilitychange", () => this.#look(), { signal });
    this.#hiddenAt = document?.hidden ? this.#timers.now() : undefined;
  }

  /** Something happened after which the connection may be dead, or a new attempt may succeed. */
  #wake() {
    if (this.#state === "waiting") this.#attempt();
    else if (this.#isNumbered && !this.#pending.has("pong")) {
      this.#tell({ type: "ping" });
      this.#after("pong", PONG_TIMEOUT_MS, () => {
        this.#release().close(DROPPED);
        this.#attempt();
      });
    }
  }

  /** There is no network: an open connection may yet live, but attempts are in vain. */
  #rest() {
    if (this.#state === "waiting") this.#wait(OFFLINE_RETRY_MS);
  }

  #look() {
    const now = this.#timers.now();
    const { hidden } = this.#options.document;
    if (!hidden && now - this.#hiddenAt > HIDDEN_MS) this.#wake();
    this.#hiddenAt = hidden ? now : undefined;
  }

  /** A timer that fires much too late was asleep, with the whole machine. */
  #tick() {
    const due = this.#timers.now() + TICK_MS;
    this.#after("tick", TICK_MS, () => {
      const now = this.#timers.now();
      const isHidden = this.#options.document?.hidden;
      const isLate = now - due > SLEEP_MS + (isHidden ? THROTTLED_MS : 0);
      // Nobody tells a page of the server's pings, nor of a connection that is silently gone.
      const isSilent = this.#state === "open" && !isHidden && now - this.#heardAt >= SILENCE_MS;
      this.#tick();
      if (isLate || isSilent) this.#wake();
    });
  }

  // Small things

  #change(state, rest = {}) {
    this.#state = state;
    this.#emit("state", { state, ...rest });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #after(name, ms, call) {
    this.#cancel(name);
    const fire = () => {
      this.#pending.delete(name);
      call();
    };
    this.#pending.set(name, this.#timers.setTimeout(fire, ms));
  }

  #cancel(name) {
    this.#timers.clearTimeout(this.#pending.get(name));
    this.#pending.delete(name);
  }

  #keepToken(token) {
    this.#token = token;
    this.#store((storage) =>
      token ? storage.setItem(this.#key, token) : storage.removeItem(this.#key),
    );
  }

  #store(use) {
    try {
      return this.#options.storage && use(this.#options.storage);
    } catch {
      return undefined; // full, or forbidden: the token is a help, no need
    }
  }
}

function checkId(id) {
  const length = typeof id === "string" ? [...id].length : 0;
  // A lone surrogate is no character, and in no URL.
  if (length < 1 || length > MAX_ID_LENGTH || /\p{Cc}|\p{Cs}/u.test(id)) {
    throw new RangeError(`an id has 1 to ${MAX_ID_LENGTH} characters, none a control character`);
  }
}

function checkedId(id) {
  checkId(id);
  // A URL takes a segment of only dots for a step.
  if (id === "." || id === "..") throw new RangeError("no id is only one dot or two");
  return id;
}

function parsedObject(data) {
  try {
    const parsed = JSON.parse(data);
    return parsed !== null && typeof parsed === "object" ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function deliveryError(peer, { code, message }) {
  const ErrorOfCode = { "peer-not-found": PeerNotFoundError, "not-held": NotHeldError }[code];
  return new (ErrorOfCode ?? DeliveryError)(peer, textOf(code), textOf(message));
}

/** A peer may send anything in their place, and not all of it becomes a text. */
function textOf(value) {
  return typeof value === "string" ? value : "";
}

function randomText(crypto) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function settleable() {
  const own = { isSettled: false };
  own.promise = new Promise((resolve, reject) => {
    const settling = (settle) => (value) => {
      own.isSettled = true;
      settle(value);
    };
    own.resolve = settling(resolve);
    own.reject = settling(reject);
  });
  own.promise.catch(() => {}); // nobody has to look at it
  return own;
}
