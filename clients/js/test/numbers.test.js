import assert from "node:assert/strict";
import test from "node:test";

import { Incoming, Outgoing, PeerNotFoundError, TooMuchWaitingError } from "../rtcsig.js";
import { FakeTimers, fates } from "../testing/fakes.js";

function outgoing(options = {}) {
  const sent = [];
  const timers = new FakeTimers();
  const transmit = (text) => sent.push(JSON.parse(text));
  const out = new Outgoing({ peer: "bob", stream: "s", transmit, timers, ...options });
  const push = (...values) =>
    values.map((value) => {
      const promise = out.push(JSON.stringify({ value }));
      promise.catch(() => {}); // looked at later, if at all
      return promise;
    });
  const take = () => sent.splice(0).map(({ value, rtcsig }) => [value, rtcsig?.n, rtcsig?.base]);
  return { out, push, take, timers };
}

const upTo = (count) => Array.from({ length: count }, (_, index) => index + 1);

test("messages are numbered from one and wait until there is a connection", () => {
  const { out, push, take } = outgoing();
  push("a", "b");
  assert.deepEqual(take(), []);
  out.open(true);
  push("c");
  assert.deepEqual(take(), [
    ["a", 1, 1],
    ["b", 2, 1],
    ["c", 3, 1],
  ]);
});

test("an acknowledgement fulfils everything up to it, and moves the base", async () => {
  const { out, push, take } = outgoing();
  out.open(true);
  const promises = push("a", "b", "c");
  out.acknowledge(2);
  assert.deepEqual(await fates(...promises), ["fulfilled", "fulfilled", "pending"]);
  take();
  push("d");
  assert.deepEqual(take(), [["d", 4, 3]]);
});

test("an acknowledgement of what was never sent means nothing", async () => {
  const { out, push } = outgoing();
  const [promise] = push("a");
  out.acknowledge(1);
  out.open(true);
  out.acknowledge(7);
  assert.deepEqual(await fates(promise), ["pending"]);
});

test("at most a window is on its way; acknowledgements let more follow", () => {
  const { out, push, take } = outgoing();
  out.open(true);
  push(...upTo(100));
  assert.deepEqual(take().at(-1), [64, 64, 1]);
  out.acknowledge(30);
  assert.deepEqual(
    take().map(([, n]) => n),
    upTo(94).slice(64),
  );
});

test("beyond the bound of what waits, sending fails at once", async () => {
  const { out, push } = outgoing({ maxUnsent: 10 });
  out.open(true);
  const [error] = await fates(push(...upTo(75)).at(-1));
  assert.ok(error instanceof TooMuchWaitingError);
  assert.deepEqual([error.peer, error.message], ["bob", "too much is waiting"]);
  out.acknowledge(1);
  assert.deepEqual(await fates(...push("again")), ["pending"]);
});

test("a new connection gets everything again, from the base, and first the window", () => {
  const { out, push, take } = outgoing();
  out.open(true);
  push(...upTo(80));
  out.acknowledge(10);
  take();
  out.pause();
  push("later");
  assert.deepEqual(take(), []);
  out.open(true);
  const again = take();
  assert.deepEqual([again.length, again[0], again.at(-1)], [64, [11, 11, 11], [74, 74, 11]]);
});

test("a gap has everything sent again, once in half a second", () => {
  const { out, push, take, timers } = outgoing();
  out.open(true);
  push("a", "b", "c");
  out.acknowledge(1);
  take();
  out.acknowledge(1);
  out.acknowledge(1);
  assert.deepEqual(take(), [
    ["b", 2, 2],
    ["c", 3, 2],
  ]);
  timers.pass(499);
  out.acknowledge(1);
  assert.deepEqual(take(), []);
  timers.pass(1);
  out.acknowledge(1);
  assert.deepEqual(take().length, 2);
});

test("a gap right at the beginning is one, too", () => {
  const { out, push, take } = outgoing();
  out.open(true);
  push("a", "b");
  take();
  out.acknowledge(0);
  assert.deepEqual(take(), [
    ["a", 1, 1],
    ["b", 2, 1],
  ]);
});

test("without an acknowledgement all is sent again after 3 s, 6 s, and at last each 30 s", () => {
  const { out, push, take, timers } = outgoing();
  out.open(true);
  push("a");
  take();
  for (const seconds of [3, 6, 12, 24, 30, 30]) {
    timers.pass(seconds * 1000 - 1);
    assert.deepEqual(take(), []);
    timers.pass(1);
    assert.deepEqual(take(), [["a", 1, 1]]);
  }
});

test("progress starts the retransmission timer anew, and the last acknowledgement ends it", () => {
  const { out, push, take, timers } = outgoing();
  out.open(true);
  push("a", "b");
  timers.pass(3000);
  out.acknowledge(1);
  take();
  timers.pass(2999);
  assert.deepEqual(take(), []);
  timers.pass(1);
  assert.deepEqual(take(), [["b", 2, 2]]);
  out.acknowledge(2);
  assert.equal(timers.count, 0);
});

test("without a connection nothing is sent again", () => {
  const { out, push, timers } = outgoing();
  out.open(true);
  push("a");
  out.pause();
  assert.equal(timers.count, 0);
});

test("what did not arrive fails with its error; later messages stay", async () => {
  const { out, push, take, timers } = outgoing();
  out.open(true);
  const promises = push("a", "b", "c");
  const error = new PeerNotFoundError("bob", "peer-not-found", "not here");
  out.giveUp(1, error);
  out.giveUp(17, error);
  assert.deepEqual(await fates(...promises), [error, "pending", "pending"]);
  take();
  timers.pass(3000);
  assert.deepEqual(take(), [
    ["b", 2, 2],
    ["c", 3, 2],
  ]);
});

test("a message given up in the middle leaves the base alone", () => {
  const { out, push, take, timers } = outgoing();
  out.open(true);
  push("a", "b", "c");
  out.giveUp(2, new Error());
  take();
  timers.pass(3000);
  assert.deepEqual(take(), [
    ["a", 1, 1],
    ["c", 3, 1],
  ]);
});

test("what is given up makes room in the window, and the last one ends the timer", () => {
  const { out, push, take, timers } = outgoing();
  out.open(true);
  push(...upTo(65));
  take();
  out.giveUp(5, new Error());
  assert.deepEqual(take(), [[65, 65, 1]]);
  for (const n of upTo(65)) out.giveUp(n, new Error());
  assert.ok(out.isIdle);
  assert.equal(timers.count, 0);
});

test("without numbers a message is done with when it is sent", async () => {
  const { out, push, take, timers } = outgoing();
  const before = push("a");
  out.open(false);
  const after = push("b");
  assert.deepEqual(take(), [
    ["a", undefined, undefined],
    ["b", undefined, undefined],
  ]);
  assert.deepEqual(await fates(...before, ...after), ["fulfilled", "fulfilled"]);
  assert.equal(timers.count, 0);
});

function incoming(options = {}) {
  const own = { acks: [], isOpen: true, timers: new FakeTimers() };
  const acknowledge = (...ack) => own.isOpen && own.acks.push(ack) > 0;
  own.incoming = new Incoming({ acknowledge, timers: own.timers, ...options });
  own.receive = (n, base = 1, stream = "s", sender = "bob") =>
    own.incoming.receive(sender, { stream, n, base });
  own.take = () => own.acks.splice(0);
  return own;
}

test("messages in order are handed over and acknowledged together after 50 ms", () => {
  const { receive, take, timers } = incoming();
  assert.deepEqual([receive(1), receive(2), receive(3)], [true, true, true]);
  timers.pass(49);
  assert.deepEqual(take(), []);
  timers.pass(1);
  assert.deepEqual(take(), [["bob", "s", 3]]);
  assert.equal(timers.count, 0);
});

test("sixteen messages are acknowledged at once", () => {
  const { receive, take, timers } = incoming();
  for (const n of upTo(16)) receive(n);
  assert.deepEqual(take(), [["bob", "s", 16]]);
  timers.pass(50);
  assert.deepEqual(take(), []);
});

test("a duplicate is acknowledged at once, and not handed over", () => {
  const { receive, take, timers } = incoming();
  receive(1);
  timers.pass(100);
  take();
  assert.equal(receive(1), false);
  assert.deepEqual(take(), [["bob", "s", 1]]);
});

test("a window that comes again is acknowledged at its beginning, and at its end", () => {
  const { receive, take, timers } = incoming();
  for (const n of upTo(10)) receive(n);
  timers.pass(100);
  take();
  for (const n of upTo(10)) receive(n);
  assert.deepEqual(take(), [["bob", "s", 10]]);
  timers.pass(50);
  assert.deepEqual(take(), [["bob", "s", 10]]);
});

test("after a gap nothing is handed over, and what is expected is said at once", () => {
  const { receive, take } = incoming();
  receive(1);
  assert.equal(receive(3), false);
  assert.deepEqual(take(), [["bob", "s", 1]]);
  assert.equal(receive(2), true);
});

test("a stream begins at the base of the first message that is seen of it", () => {
  const { receive, take } = incoming();
  assert.equal(receive(17, 15), false);
  assert.deepEqual(take(), [["bob", "s", 14]]);
  assert.equal(receive(15, 15), true);
});

test("what was given up is waited for no longer", () => {
  const { receive } = incoming();
  receive(1);
  assert.equal(receive(4, 4), true);
});

test("two streams of a sender are remembered, and no third", () => {
  const { receive } = incoming();
  receive(1, 1, "old");
  receive(1, 1, "newer");
  assert.equal(receive(1, 1, "old"), false);
  receive(1, 1, "newest");
  assert.equal(receive(1, 1, "newer"), false);
  assert.equal(receive(1, 1, "old"), true);
});

test("as many senders as allowed are remembered, and the longest silent is forgotten", () => {
  const { receive, take, timers } = incoming({ maxSenders: 2 });
  receive(1, 1, "s", "bob");
  receive(1, 1, "s", "carol");
  receive(2, 1, "s", "bob");
  receive(1, 1, "s", "dave");
  assert.equal(receive(2, 1, "s", "bob"), false);
  take();
  timers.pass(50);
  assert.deepEqual(
    take().map(([sender]) => sender),
    ["dave"],
  );
});

test("what cannot be acknowledged now is acknowledged when all that is due is", () => {
  const own = incoming();
  own.isOpen = false;
  own.receive(1);
  own.timers.pass(50);
  own.isOpen = true;
  own.incoming.flush();
  own.incoming.flush();
  assert.deepEqual(own.take(), [["bob", "s", 1]]);
});
