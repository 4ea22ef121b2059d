import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";
import { fileURLToPath } from "node:url";

import { DeliveryError, NotHeldError, PeerNotFoundError } from "../rtcsig.js";
import { fates, setUp, setUpOpen } from "../testing/fakes.js";

const THROWING = fileURLToPath(new URL("../testing/throwing.js", import.meta.url));
const offer = { type: "offer", sdp: "v=0" };

/** What bob's client would send as message `n`. */
const fromBob = (n, message = {}) => ({
  id: "bob",
  ...message,
  rtcsig: { stream: "b", n, base: 1 },
});

test("a message has its destination and its number; an acknowledgement fulfils it", async () => {
  const { client, socket } = setUpOpen();
  const sent = client.send("bob", offer);
  const [{ rtcsig, ...message }] = socket().take();
  assert.deepEqual(message, { ...offer, id: "bob" });
  assert.deepEqual([rtcsig.n, rtcsig.base], [1, 1]);
  assert.match(rtcsig.stream, /^[\w-]{16,}$/);
  assert.deepEqual(await fates(sent), ["pending"]);
  socket().say({ id: "bob", type: "ack", rtcsig: { stream: rtcsig.stream, ack: 1 } });
  assert.deepEqual(await fates(sent), ["fulfilled"]);
});

test("each destination has a stream of its own, which outlives connections", () => {
  const { client, socket, timers } = setUpOpen();
  client.send("bob", offer);
  client.send("carol", offer);
  const streams = socket()
    .take()
    .map(({ rtcsig }) => rtcsig.stream);
  assert.notEqual(...streams);
  socket().end();
  timers.pass(500);
  socket().welcome();
  assert.deepEqual(
    socket()
      .take()
      .map(({ rtcsig }) => rtcsig.stream),
    streams,
  );
});

test("what is sent without a connection follows when there is one, as it was then", () => {
  const { client, socket } = setUp();
  client.connect();
  const message = { text: "before" };
  client.send("bob", message);
  message.text = "after";
  socket().welcome();
  assert.deepEqual(
    socket()
      .take()
      .map(({ text }) => text),
    ["before"],
  );
});

test("an object that knows how it is written is written so", () => {
  const { client, socket } = setUpOpen();
  client.send("bob", { toJSON: () => ({ ...offer, id: "carol", rtcsig: "mine" }) });
  const [{ id, type, rtcsig }] = socket().take();
  assert.deepEqual([id, type, rtcsig.n], ["bob", "offer", 1]);
});

test("what is no object, or for nobody, is refused", async () => {
  const { client, socket } = setUpOpen();
  const wrong = ["text", null, undefined, [1], 7].map((message) => client.send("bob", message));
  const errors = await fates(...wrong, client.send("", {}), client.send(7, {}));
  assert.ok(errors.every((error) => error instanceof TypeError));
  assert.deepEqual(socket().take(), []);
});

for (const [code, Expected] of [
  ["peer-not-found", PeerNotFoundError],
  ["not-held", NotHeldError],
  ["something-new", DeliveryError],
]) {
  test(`the server's error ${code} is the end of its message`, async () => {
    const { client, socket, messages } = setUpOpen();
    const promises = [client.send("bob", offer), client.send("bob", offer)];
    const { stream } = socket().take()[0].rtcsig;
    const rtcsig = { stream, n: 1 };
    socket().say({ id: "bob", type: "error", code, message: "why", rtcsig });
    const [error, next] = await fates(...promises);
    assert.ok(error instanceof Expected);
    assert.deepEqual([error.peer, error.code, error.message], ["bob", code, "why"]);
    assert.deepEqual([next, messages()], ["pending", []]);
  });
}

test("an error in which a peer has put anything at all is one", async () => {
  const { client, socket } = setUpOpen();
  const sent = client.send("bob", offer);
  const { stream } = socket().take()[0].rtcsig;
  const message = { toString: 1 };
  socket().say({ id: "bob", type: "error", code: [], message, rtcsig: { stream, n: 1 } });
  socket().say({ id: "bob", type: "error", code: 7, message, rtcsig: { stream, n: 1 } });
  const [error] = await fates(sent);
  assert.ok(error instanceof DeliveryError);
  assert.deepEqual([error.code, error.message], ["", ""]);
});

test("a message to oneself may look like an error", async () => {
  const { client, socket, messages } = setUpOpen();
  const sent = client.send("alice", { type: "error", code: "busy" });
  socket().say({ ...socket().take()[0] });
  assert.deepEqual(messages(), [{ type: "error", code: "busy" }]);
  assert.deepEqual(await fates(sent), ["pending"]);
});

test("errors for unknown streams, unknown numbers and acknowledgements are ignored", async () => {
  const { client, socket, messages, of } = setUpOpen();
  const sent = client.send("bob", offer);
  const { stream } = socket().take()[0].rtcsig;
  for (const rtcsig of [
    { stream: "another", n: 1 },
    { stream, n: 2 },
    { stream, ack: 1 },
  ]) {
    socket().say({ id: "bob", type: "error", code: "peer-not-found", message: "", rtcsig });
  }
  socket().say({ id: "carol", type: "error", code: "peer-not-found", rtcsig: { stream, n: 1 } });
  socket().say({ id: "carol", type: "ack", rtcsig: { stream, ack: 1 } });
  assert.deepEqual(await fates(sent), ["pending"]);
  assert.deepEqual([messages(), of("problem")], [[], []]);
});

test("a server that stops keeps no message, and the client does until the next welcome", async () => {
  const { client, socket, timers } = setUpOpen();
  const sent = client.send("bob", offer);
  const { rtcsig } = socket().take()[0];
  socket().say({ id: "bob", type: "error", code: "stopping", message: "", rtcsig });
  timers.pass(60_000);
  assert.deepEqual(socket().take(), []);
  socket().end(1012, "retry_after_s=1");
  timers.pass(2000);
  socket().welcome();
  assert.deepEqual(socket().take()[0].rtcsig, rtcsig);
  assert.deepEqual(await fates(sent), ["pending"]);
});

test("messages are handed over once, in order, without their numbers, and acknowledged", () => {
  const { socket, of, timers } = setUpOpen();
  for (const n of [1, 2, 2, 4, 3]) socket().say(fromBob(n, { text: n }));
  assert.deepEqual(of("message"), [
    { from: "bob", message: { text: 1 } },
    { from: "bob", message: { text: 2 } },
    { from: "bob", message: { text: 3 } },
  ]);
  timers.pass(50);
  const acks = socket().take();
  assert.deepEqual(acks.at(-1), { id: "bob", type: "ack", rtcsig: { stream: "b", ack: 3 } });
});

test("an acknowledgement that found no connection follows at the next", () => {
  const { socket, timers } = setUpOpen();
  socket().say(fromBob(1));
  socket().end();
  timers.pass(500);
  socket().welcome();
  assert.deepEqual(socket().take(), [{ id: "bob", type: "ack", rtcsig: { stream: "b", ack: 1 } }]);
});

test("messages of peers without the additions are handed over as they come", () => {
  const { socket, messages } = setUpOpen();
  socket().say({ id: "old", text: "a" });
  socket().say({ id: "old", text: "b", rtcsig: "something else" });
  socket().say({ id: "old", type: "error", code: "my-own" });
  assert.deepEqual(messages(), [{ text: "a" }, { text: "b" }, { type: "error", code: "my-own" }]);
});

test("a peer's own messages of type ack and error are messages", () => {
  const { socket, messages } = setUpOpen();
  socket().say(fromBob(1, { type: "ack" }));
  socket().say(fromBob(2, { type: "error", code: "peer-not-found" }));
  assert.deepEqual(
    messages().map(({ type }) => type),
    ["ack", "error"],
  );
});

test("what is no object is not heard, and ends nothing", () => {
  const { client, socket } = setUpOpen();
  for (const data of ["", "{", "null", "7", new ArrayBuffer(3)]) socket().onmessage({ data });
  assert.equal(client.state, "open");
});

test("what the server could not read is told", () => {
  const { socket, of } = setUpOpen();
  socket().say({ id: "", type: "error", code: "bad-request", message: "why" });
  assert.deepEqual(of("problem"), [{ peer: "", code: "bad-request", message: "why" }]);
});

test("a handler that throws costs nobody anything else", () => {
  const ran = spawnSync(process.execPath, [THROWING], { encoding: "utf8" });
  assert.deepEqual([ran.status, ran.stdout], [0, "reported: a handler's own\nheard: a b\n"]);
});

// A server without the additions

test("a server that sends something else first has no additions", async () => {
  const { client, socket, messages, of } = setUp();
  client.connect();
  const before = client.send("bob", offer);
  socket().onopen({});
  socket().say({ id: "bob", text: "hello" });
  const after = client.send("bob", offer);
  assert.deepEqual(socket().take(), [
    { ...offer, id: "bob" },
    { ...offer, id: "bob" },
  ]);
  assert.deepEqual(await fates(before, after, client.opened), Array(3).fill("fulfilled"));
  assert.deepEqual(messages(), [{ text: "hello" }]);
  assert.deepEqual(of("state").at(-1), { state: "open", numbered: false, resumed: false });
});

test("a server that says nothing for five seconds has no additions", () => {
  const { client, socket, timers } = setUp();
  client.connect();
  timers.pass(7000);
  socket().onopen({});
  timers.pass(4999);
  assert.equal(client.state, "connecting");
  timers.pass(1);
  assert.equal(client.state, "open");
});

test("a welcome that comes late is one, still", () => {
  const { client, socket, timers } = setUp();
  client.connect();
  socket().onopen({});
  timers.pass(5000);
  socket().welcome();
  client.send("bob", offer);
  assert.equal(socket().take()[0].rtcsig.n, 1);
});

test("of a server that had the additions a welcome is awaited to the end", () => {
  const { client, socket, timers } = setUpOpen();
  socket().end();
  timers.pass(500);
  socket().onopen({});
  timers.pass(9999);
  assert.equal(client.state, "connecting");
  timers.pass(1);
  assert.deepEqual([client.state, socket().closed], ["waiting", 4000]);
});

test("without the additions the server is told nothing, and its errors are problems", () => {
  const { client, socket, of, window } = setUp();
  client.connect();
  client.watch("bob");
  socket().onopen({});
  socket().say({ id: "bob", type: "error", code: "peer-not-found", message: "not here" });
  client.watch("carol");
  window.dispatchEvent(new Event("online"));
  assert.deepEqual(socket().take(), []);
  assert.equal(of("problem")[0].peer, "bob");
});

// Presence

test("watching is asked for anew with each welcome, and once for each peer", () => {
  const { client, socket, timers } = setUp();
  client.watch("bob", "carol");
  client.connect();
  socket().welcome();
  client.watch("carol", "dave");
  client.unwatch("carol", "nobody");
  assert.deepEqual(socket().take(), [
    { id: "", type: "watch", peers: ["bob", "carol"] },
    { id: "", type: "watch", peers: ["dave"] },
    { id: "", type: "unwatch", peers: ["carol"] },
  ]);
  socket().end();
  timers.pass(500);
  socket().welcome();
  assert.deepEqual(socket().take(), [{ id: "", type: "watch", peers: ["bob", "dave"] }]);
});

test("presence is told, of those who are still watched", () => {
  const { client, socket, of } = setUpOpen();
  client.watch("bob");
  socket().say({ id: "", type: "presence", peer: "bob", state: "here" });
  client.unwatch("bob");
  socket().say({ id: "", type: "presence", peer: "bob", state: "away" });
  assert.deepEqual(of("presence"), [{ peer: "bob", state: "here" }]);
});

test("more than the server allows are not watched", () => {
  const { client } = setUpOpen();
  const peers = Array.from({ length: 1001 }, (_, index) => `peer ${index}`);
  assert.throws(() => client.watch(...peers), RangeError);
  client.watch(...peers.slice(1));
});

for (const peer of ["", "x".repeat(129), "a\n", "\ud83d", 7, null]) {
  test(`what no peer is called is not watched: ${JSON.stringify(peer).slice(0, 10)}`, () => {
    const { client, socket } = setUpOpen();
    assert.throws(() => client.watch("bob", peer), RangeError);
    assert.deepEqual(socket().take(), []);
  });
}

test("many are asked for in pieces that the server takes, whatever they are called", () => {
  const { client, socket } = setUpOpen();
  const peers = Array.from({ length: 1000 }, (_, at) => `${"\u{1f600}".repeat(124)}${1000 + at}`);
  client.watch(...peers);
  const asked = socket().take();
  assert.deepEqual(
    asked.flatMap((each) => each.peers),
    peers,
  );
  assert.ok(asked.every((each) => Buffer.byteLength(JSON.stringify(each)) < 65_536));
});
