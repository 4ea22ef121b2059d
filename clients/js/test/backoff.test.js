import assert from "node:assert/strict";
import test from "node:test";

import { IdTakenError, RefusedError, ReplacedError, afterClose, backoffMs } from "../rtcsig.js";

const most = { attempt: 0, random: () => 1 };

test("the bound of the wait doubles with each failure, up to 30 seconds", () => {
  const bounds = [0, 1, 2, 3, 4, 5, 6, 7, 2000].map((attempt) => backoffMs(attempt, () => 1));
  assert.deepEqual(bounds, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
});

test("the wait is anything from nothing to its bound", () => {
  assert.equal(
    backoffMs(3, () => 0),
    0,
  );
  assert.equal(
    backoffMs(3, () => 0.25),
    1000,
  );
});

for (const code of [1000, 1001, 1005, 1006, 1011, 1013, 4000, 4408, 4410, 4499]) {
  test(`a client comes back after ${code}`, () => {
    assert.deepEqual(afterClose(code, "", { ...most, attempt: 2 }), { retryMs: 2000 });
  });
}

for (const code of [1002, 1003, 1007, 1008, 1009, 1010, 4501, 4999]) {
  test(`a client stops after ${code}`, () => {
    const { error } = afterClose(code, "why", most);
    assert.deepEqual([error.name, error.code, error.reason], ["RefusedError", code, "why"]);
    assert.match(error.message, /why/);
  });
}

test("4500 and 4409 have errors of their own", () => {
  assert.ok(afterClose(4500, "", most).error instanceof ReplacedError);
  const { error } = afterClose(4409, "", most);
  assert.ok(error instanceof IdTakenError && error instanceof RefusedError);
});

test("who waits for the id comes back after 4409, but not after 4500", () => {
  const waiting = { ...most, waitForId: true };
  assert.deepEqual(afterClose(4409, "", waiting), { retryMs: 500 });
  assert.ok(afterClose(4500, "", waiting).error instanceof ReplacedError);
});

test("a server that restarts says when to come back, and what is above it is spread", () => {
  const after = (reason, random) => afterClose(1012, reason, { attempt: 1, random }).retryMs;
  assert.equal(
    after("restart, retry_after_s=7", () => 0),
    7000,
  );
  assert.equal(
    after("retry_after_s=20", () => 0.5),
    25_000,
  );
  assert.equal(
    after("retry_after_s=1", () => 1),
    2000,
  );
  assert.equal(
    after("no word of it", () => 1),
    1000,
  );
  assert.equal(
    after("retry_after_s=99999999999", () => 1),
    1000,
  );
});
