// A clock, a WebSocket and a page that do what a test says, when it says so.
import { SignallingClient } from "../rtcsig.js";

export class FakeTimers {
  #now = 1_000_000;
  #number = 0;
  #waiting = new Map();

  setTimeout(call, ms) {
    this.#number += 1;
    this.#waiting.set(this.#number, { call, due: this.#now + ms });
    return this.#number;
  }

  clearTimeout(number) {
    this.#waiting.delete(number);
  }

  now() {
    return this.#now;
  }

  get count() {
    return this.#waiting.size;
  }

  /** Let time go by; each timer fires when it is due. */
  pass(ms) {
    const end = this.#now + ms;
    for (let next = this.#next(end); next; next = this.#next(end)) {
      this.#now = Math.max(this.#now, next.due);
      next.call();
    }
    this.#now = end;
  }

  /** Let time go by in which nothing fires. What is due then fires late. */
  sleep(ms) {
    this.#now += ms;
    this.pass(0);
  }

  #next(end) {
    const [number, first] = [...this.#waiting].reduce(
      (best, each) => (each[1].due < (best[1]?.due ?? Infinity) ? each : best),
      [],
    );
    if (!first || first.due > end) return undefined;
    this.#waiting.delete(number);
    return first;
  }
}

export class FakeSocket {
  sent = [];
  closed;

  constructor(url) {
    this.url = new URL(url);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close(code) {
    this.closed = code;
  }

  /** What was sent since the last time. */
  take() {
    return this.sent.splice(0);
  }

  say(message) {
    this.onmessage({ data: JSON.stringify(message) });
  }

  welcome(rest = {}) {
    this.onopen({});
    const welcome = { id: "", type: "welcome", version: 1, token: "first", resumed: false };
    this.say({ ...welcome, resume_grace_s: 30, ...rest });
  }

  end(code = 1006, reason = "") {
    this.onclose({ code, reason });
  }
}

/** A client, all its surroundings, and everything that it told. */
export function setUp({ id = "alice", url = "ws://host/", ...options } = {}) {
  const sockets = [];
  const told = [];
  class WebSocket extends FakeSocket {
    constructor(address) {
      super(address);
      sockets.push(this);
    }
  }
  const surroundings = {
    timers: new FakeTimers(),
    window: new EventTarget(),
    document: Object.assign(new EventTarget(), { hidden: false }),
    navigator: { onLine: true },
    random: () => 1,
  };
  const client = new SignallingClient(url, id, { WebSocket, ...surroundings, ...options });
  for (const type of ["state", "message", "presence", "problem"]) {
    client.addEventListener(type, ({ detail }) => told.push([type, detail]));
  }
  const of = (type) => told.filter(([each]) => each === type).map(([, detail]) => detail);
  return {
    ...surroundings,
    client,
    sockets,
    of,
    socket: () => sockets.at(-1),
    states: () => of("state").map(({ state }) => state),
    messages: () => of("message").map(({ message }) => message),
  };
}

/** A client that is welcome. */
export function setUpOpen(options) {
  const own = setUp(options);
  own.client.connect();
  own.socket().welcome();
  return own;
}

/** What has become of promises by now: `fulfilled`, `pending`, or the error. */
export async function fates(...promises) {
  const known = promises.map(() => "pending");
  promises.forEach((promise, index) =>
    promise.then(
      () => (known[index] = "fulfilled"),
      (error) => (known[index] = error),
    ),
  );
  await new Promise((resolve) => setImmediate(resolve));
  return known;
}

/** A generator of numbers from 0 to below 1 that does the same for the same seed. */
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
