import assert from "node:assert/strict";
import test from "node:test";

import { setUp, setUpOpen } from "../testing/fakes.js";

const PING = { id: "", type: "ping" };
const PONG = { id: "", type: "pong" };

function go(target, type, rest = {}) {
  target.dispatchEvent(Object.assign(new Event(type), rest));
}

function see({ document }, hidden) {
  document.hidden = hidden;
  go(document, "visibilitychange");
}

test("with the network back a waiting client tries at once", () => {
  const { client, socket, sockets, window } = setUp();
  client.connect();
  socket().end();
  go(window, "online");
  assert.deepEqual([sockets.length, client.state], [2, "connecting"]);
});

test("with the network back an open connection is asked, once, and an answer is enough", () => {
  const { socket, sockets, window, timers } = setUpOpen();
  go(window, "online");
  go(window, "online");
  assert.deepEqual(socket().take(), [PING]);
  socket().say(PONG);
  timers.pass(5000);
  assert.equal(sockets.length, 1);
});

test("a connection that does not answer is dropped, and another attempt follows at once", () => {
  const { sockets, window, timers, states } = setUpOpen();
  go(window, "online");
  timers.pass(4999);
  assert.equal(sockets.length, 1);
  timers.pass(1);
  assert.deepEqual([sockets.length, sockets[0].closed], [2, 4000]);
  assert.deepEqual(states(), ["connecting", "open", "connecting"]);
});

test("without a network a client says so and tries only now and then", () => {
  const { socket, sockets, navigator, timers, of } = setUpOpen();
  navigator.onLine = false;
  socket().end();
  assert.deepEqual(of("state").at(-1), { state: "waiting", retryMs: 60_000, offline: true });
  timers.pass(59_999);
  assert.equal(sockets.length, 1);
  timers.pass(1);
  assert.equal(sockets.length, 2);
});

test("a client that waits when the network goes waits longer", () => {
  const { socket, sockets, navigator, window, timers, of } = setUpOpen();
  socket().end();
  navigator.onLine = false;
  go(window, "offline");
  timers.pass(59_999);
  assert.deepEqual([sockets.length, of("state").at(-1).offline], [1, true]);
});

test("an open connection outlives a network that is said to be gone", () => {
  const { client, socket, navigator, window } = setUpOpen();
  navigator.onLine = false;
  go(window, "offline");
  assert.deepEqual([client.state, socket().closed], ["open", undefined]);
});

test("a page that was hidden for longer than 30 seconds asks when it is seen again", () => {
  const own = setUpOpen();
  see(own, true);
  own.timers.pass(30_000);
  see(own, false);
  assert.deepEqual(own.socket().take(), []);
  see(own, true);
  own.timers.pass(30_001);
  see(own, false);
  assert.deepEqual(own.socket().take(), [PING]);
});

test("a page that was hidden from the beginning asks, too", () => {
  const document = Object.assign(new EventTarget(), { hidden: true });
  const own = setUpOpen({ document });
  own.timers.pass(31_000);
  see({ document }, false);
  assert.deepEqual(own.socket().take(), [PING]);
});

test("a page that comes back from the cache asks or tries at once; a fresh one does not", () => {
  const { socket, sockets, window } = setUpOpen();
  go(window, "pageshow", { persisted: false });
  assert.deepEqual(socket().take(), []);
  go(window, "pageshow", { persisted: true });
  assert.deepEqual(socket().take(), [PING]);
  socket().end();
  go(window, "pageshow", { persisted: true });
  assert.equal(sockets.length, 2);
});

test("after a sleep the connection is asked", () => {
  const { socket, timers } = setUpOpen();
  timers.pass(15_000);
  assert.deepEqual(socket().take(), []);
  timers.sleep(26_000);
  assert.deepEqual(socket().take(), [PING]);
});

test("a hidden page whose timers are slow is not taken for a sleeper, but a sleeper is", () => {
  const own = setUpOpen();
  see(own, true);
  for (let minute = 0; minute < 5; minute += 1) own.timers.sleep(60_000);
  assert.deepEqual(own.socket().take(), []);
  own.timers.sleep(86_000);
  assert.deepEqual(own.socket().take(), [PING]);
});

test("after a sleep a waiting client tries once", () => {
  const { client, socket, sockets, timers } = setUp();
  client.connect();
  socket().end(1012, "retry_after_s=600");
  timers.sleep(100_000);
  assert.equal(sockets.length, 2);
  timers.pass(9000);
  assert.equal(sockets.length, 2);
});

test("without a page the client does without", () => {
  const none = { window: undefined, document: undefined, navigator: undefined };
  const { states, timers, socket } = setUpOpen(none);
  timers.pass(48_000);
  socket().say(PONG);
  timers.pass(40_000);
  assert.deepEqual(states(), ["connecting", "open"]);
});

test("a connection that has been silent for long is asked, and dropped if it stays silent", () => {
  const { socket, sockets, timers } = setUpOpen();
  timers.pass(30_000);
  socket().say({ id: "bob", text: "1" });
  timers.pass(44_999);
  assert.deepEqual(socket().take(), []);
  timers.pass(1);
  assert.deepEqual(socket().take(), [PING]);
  timers.pass(5000);
  assert.deepEqual([sockets.length, sockets[0].closed], [2, 4000]);
});

test("one that answers is asked again and again", () => {
  const { socket, sockets, timers } = setUpOpen();
  for (let round = 0; round < 5; round += 1) {
    timers.pass(45_000);
    assert.deepEqual(socket().take(), [PING]);
    socket().say(PONG);
  }
  assert.equal(sockets.length, 1);
});

test("a message that nobody acknowledges casts doubt on the connection", () => {
  const { client, socket, sockets, timers } = setUpOpen();
  client.send("bob", { type: "offer" }).catch(() => {});
  return Promise.resolve().then(() => {
    socket().take();
    timers.pass(3000);
    assert.deepEqual(socket().take().at(-1), PING);
    timers.pass(5000);
    assert.equal(sockets.length, 2);
    client.close();
  });
});
