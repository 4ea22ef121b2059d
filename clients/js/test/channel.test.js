import assert from "node:assert/strict";
import test from "node:test";

import { Incoming, Outgoing } from "../rtcsig.js";
import { FakeTimers, fates, seeded } from "../testing/fakes.js";

const MESSAGES = 300;
const MAX_STEPS = 20_000;

/** Two ends and a channel that loses, doubles, gives up and breaks, until `calmDown`. */
class Channel {
  received = [];
  #toReceiver = [];
  #toSender = [];
  #isWild = true;
  #isOpen = false;

  constructor(random) {
    this.random = random;
    this.timers = new FakeTimers();
    const transmit = (text) => this.#put(this.#toReceiver, JSON.parse(text));
    this.out = new Outgoing({ peer: "b", stream: "s", transmit, timers: this.timers });
    const acknowledge = (_, __, ack) => this.#put(this.#toSender, { ack });
    this.incoming = new Incoming({ acknowledge, timers: this.timers });
  }

  step() {
    this.timers.pass(Math.floor(this.random() * 400));
    if (this.#happens(0.01) || !this.#isOpen) this.#reconnect();
    for (let count = this.random() * 8; count > 1; count -= 1) this.#arrive();
    for (const { ack } of this.#toSender.splice(0, 4)) this.out.acknowledge(ack);
  }

  calmDown() {
    this.#isWild = false;
  }

  #happens(share) {
    return this.#isWild && this.random() < share;
  }

  #put(queue, frame) {
    if (!this.#isOpen) return false;
    if (!this.#happens(0.05)) queue.push(frame);
    if (this.#happens(0.05)) queue.push(frame);
    return true;
  }

  #reconnect() {
    this.#isOpen = false;
    this.out.pause();
    this.#toReceiver.length = 0;
    this.#toSender.length = 0;
    if (this.#happens(0.3)) return;
    this.#isOpen = true;
    this.incoming.flush();
    this.out.open(true);
  }

  #arrive() {
    const frame = this.#toReceiver.shift();
    if (!frame) return;
    if (this.#happens(0.03)) this.out.giveUp(frame.rtcsig.n, new Error("not there"));
    else if (this.incoming.receive("a", frame.rtcsig)) this.received.push(frame.value);
  }
}

for (let seed = 1; seed <= 25; seed += 1) {
  test(`through a bad channel each arrives once and in order, or is reported (${seed})`, async () => {
    const random = seeded(seed);
    const channel = new Channel(random);
    const promises = [];
    for (let step = 0; step < MAX_STEPS && !isDone(promises, channel); step += 1) {
      if (promises.length < MESSAGES && random() < 0.5) {
        const promise = channel.out.push(JSON.stringify({ value: promises.length }));
        promise.catch(() => {});
        promises.push(promise);
      }
      if (promises.length === MESSAGES) channel.calmDown();
      channel.step();
    }
    const settled = await fates(...promises);
    const arrived = new Set(channel.received);
    const sorted = [...arrived].toSorted((a, b) => a - b);
    assert.deepEqual(channel.received, sorted);
    assert.ok(!settled.includes("pending"));
    settled.forEach((fate, value) => fate === "fulfilled" && assert.ok(arrived.has(value)));
    assert.ok(arrived.size > MESSAGES / 2);
  });
}

function isDone(promises, channel) {
  return promises.length === MESSAGES && channel.out.isIdle;
}
