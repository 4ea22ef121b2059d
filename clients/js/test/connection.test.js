import assert from "node:assert/strict";
import test from "node:test";

import { ClosedError, IdTakenError, ReplacedError, SignallingClient } from "../rtcsig.js";
import { fates, setUp, setUpOpen } from "../testing/fakes.js";

const fake = { timers: undefined, WebSocket: class {} };
const refusedIds = ["", "a".repeat(129), "tab\t", "\u0085", ".", "..", 42];

test("the id is a segment below the mount, and the additions are asked for", () => {
  const { client, socket } = setUp({ id: "a/b é?", url: "ws://host:8000/mount/?key=1" });
  client.connect();
  assert.equal(socket().url.pathname, "/mount/a%2Fb%20%C3%A9%3F");
  assert.deepEqual(Object.fromEntries(socket().url.searchParams), {
    key: "1",
    rtcsig: "1",
    refuse: "close",
  });
});

test("an address of the web becomes one of a WebSocket", () => {
  const { client, socket } = setUp({ url: "https://host" });
  client.connect();
  assert.match(socket().url.href, /^wss:\/\/host\/alice\?/);
});

for (const id of refusedIds) {
  test(`an id that can never be used is refused at once: ${JSON.stringify(id)}`, () => {
    assert.throws(() => new SignallingClient("ws://host/", id, fake), RangeError);
  });
}

test("a client is connecting, then open, and says so", async () => {
  const { client, socket, states, of } = setUp();
  assert.equal(client.state, "stopped");
  const opened = client.connect();
  assert.equal(client.connect(), opened);
  assert.deepEqual(await fates(client.opened), ["pending"]);
  socket().welcome({ resumed: true });
  assert.deepEqual(states(), ["connecting", "open"]);
  assert.deepEqual(of("state").at(-1), { state: "open", numbered: true, resumed: true });
  assert.deepEqual([client.state, ...(await fates(opened))], ["open", "fulfilled"]);
});

test("an attempt that nobody answers is given up after ten seconds", () => {
  const { client, timers, sockets, states } = setUp();
  client.connect();
  timers.pass(9999);
  assert.deepEqual(states(), ["connecting"]);
  timers.pass(1);
  assert.deepEqual([sockets[0].closed, client.state], [4000, "waiting"]);
  timers.pass(500);
  assert.equal(sockets.length, 2);
});

test("an attempt that fails is over, whether a close follows the error or not", () => {
  const { client, socket, timers, states } = setUp();
  client.connect();
  socket().onerror({});
  socket().end();
  assert.deepEqual(states(), ["connecting", "waiting"]);
  timers.pass(500);
  socket().onopen({});
  socket().onerror({});
  assert.equal(client.state, "connecting");
  socket().end(4500);
  assert.equal(client.state, "stopped");
});

test("what a socket says after the client has done with it is not heard", () => {
  const { client, timers, sockets, states } = setUp();
  client.connect();
  timers.pass(10_000);
  sockets[0].welcome();
  sockets[0].end();
  assert.deepEqual(states(), ["connecting", "waiting"]);
});

test("the waits grow with failures in a row, and begin anew after five open seconds", () => {
  const { client, timers, socket, of } = setUp();
  const waits = () =>
    of("state")
      .filter(({ state }) => state === "waiting")
      .map(waitOf);
  const waitOf = ({ retryMs }) => retryMs;
  client.connect();
  for (let count = 0; count < 3; count += 1) {
    socket().end();
    timers.pass(waits().at(-1));
  }
  socket().welcome();
  timers.pass(4999);
  socket().end();
  assert.deepEqual(waits(), [500, 1000, 2000, 4000]);
  timers.pass(4000);
  socket().welcome();
  timers.pass(5000);
  socket().end();
  assert.deepEqual(waits().at(-1), 500);
});

test("a client comes back when a restarting server told it to", () => {
  const { socket, sockets, timers, of } = setUpOpen();
  socket().end(1012, "restarting, retry_after_s=20");
  assert.deepEqual(of("state").at(-1), { state: "waiting", retryMs: 30_000, offline: false });
  timers.pass(29_999);
  assert.equal(sockets.length, 1);
  timers.pass(1);
  assert.equal(sockets.length, 2);
});

test("a client that was replaced stops, with all that waited", async () => {
  const { client, socket, of, timers } = setUpOpen();
  const sent = client.send("bob", {});
  socket().end(4500, "a newer connection has the id");
  const [error, later] = await fates(sent, client.send("bob", {}));
  assert.ok(error instanceof ReplacedError);
  assert.equal(later, error);
  assert.deepEqual(of("state").at(-1), { state: "stopped", error });
  assert.equal(timers.count, 0);
});

test("an id that is taken ends the first attempt, unless one waits for it", async () => {
  const { client, socket } = setUp();
  const opened = client.connect();
  socket().end(4409);
  const [error] = await fates(opened);
  assert.ok(error instanceof IdTakenError);
  const patient = setUp({ waitForId: true });
  patient.client.connect();
  patient.socket().end(4409);
  assert.equal(patient.client.state, "waiting");
});

test("a client that stopped can be connected again", async () => {
  const { client, socket } = setUpOpen();
  socket().end(1008, "too much");
  const opened = client.connect();
  assert.deepEqual(await fates(opened), ["pending"]);
  socket().welcome();
  assert.deepEqual(await fates(opened, client.opened), ["fulfilled", "fulfilled"]);
});

test("closing leaves cleanly: with 1000, no timer and no listener", async () => {
  const { client, socket, sockets, of, timers, window } = setUpOpen();
  const sent = client.send("bob", {});
  client.close();
  client.close();
  window.dispatchEvent(new Event("online"));
  timers.pass(100_000);
  assert.deepEqual([socket().closed, timers.count, sockets.length], [1000, 0, 1]);
  assert.deepEqual(of("state").slice(2), [{ state: "stopped" }]);
  const [error, later] = await fates(sent, client.send("bob", {}));
  assert.ok(error instanceof ClosedError && later instanceof ClosedError);
});

test("closing while connecting or waiting ends that", () => {
  for (const prepare of [() => {}, (socket) => socket.end()]) {
    const { client, socket, sockets, timers } = setUp();
    client.connect();
    prepare(socket());
    client.close();
    timers.pass(100_000);
    assert.deepEqual([client.state, sockets.length, timers.count], ["stopped", 1, 0]);
  }
});

test("closing within a handler is the end of it", () => {
  const own = setUp();
  own.client.addEventListener("state", ({ detail }) => detail.numbered && own.client.close());
  own.client.connect();
  own.socket().welcome();
  assert.deepEqual(own.states(), ["connecting", "open", "stopped"]);
  assert.equal(own.timers.count, 0);
});

test("a WebSocket that may not be made stops the client with its error", async () => {
  class WebSocket {
    constructor() {
      throw new DOMException("insecure", "SecurityError");
    }
  }
  const { client } = setUp({ WebSocket });
  const [error] = await fates(client.connect());
  assert.deepEqual([error.name, client.state], ["SecurityError", "stopped"]);
});

test("the newest token is shown at the next connection", () => {
  const { client, socket, timers } = setUpOpen();
  assert.equal(socket().url.searchParams.get("token"), null);
  socket().end();
  timers.pass(500);
  assert.equal(socket().url.searchParams.get("token"), "first");
  socket().welcome({ token: "second", resumed: true });
  socket().end();
  timers.pass(1000);
  assert.equal(socket().url.searchParams.get("token"), "second");
  client.close();
  client.connect();
  assert.equal(socket().url.searchParams.get("token"), null);
});

class Storage extends Map {
  getItem = (key) => this.get(key) ?? null;
  setItem = (key, value) => this.set(key, value);
  removeItem = (key) => this.delete(key);
}

test("a storage keeps the token over a reload, for this id and server alone", () => {
  const storage = new Storage();
  setUpOpen({ storage });
  const tokenOf = (options) => {
    const own = setUp({ storage, ...options });
    own.client.connect();
    return own.socket().url.searchParams.get("token");
  };
  assert.equal(tokenOf({}), "first");
  assert.equal(tokenOf({ id: "bob" }), null);
  assert.equal(tokenOf({ url: "ws://elsewhere/" }), null);
});

test("who left or was replaced leaves no token behind", () => {
  const storage = new Storage();
  setUpOpen({ storage }).client.close();
  assert.equal(storage.size, 0);
  setUpOpen({ storage }).socket().end(4500);
  assert.equal(storage.size, 0);
});

test("a page that goes keeps its token, and its connection", () => {
  const storage = new Storage();
  const { window, socket } = setUpOpen({ storage });
  storage.clear();
  window.dispatchEvent(new Event("pagehide"));
  assert.deepEqual([[...storage.values()], socket().closed], [["first"], undefined]);
});

test("a storage that refuses does no harm", () => {
  const refuse = () => {
    throw new DOMException("full", "QuotaExceededError");
  };
  const storage = { getItem: refuse, setItem: refuse, removeItem: refuse };
  assert.deepEqual(setUpOpen({ storage }).states(), ["connecting", "open"]);
});
