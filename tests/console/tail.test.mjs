/** The tail gives out every version once and in order, whatever happens to the frames on the way. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { EventsLost, Tail, Update } from "../../console/streamer.js";

const [PROGRESS, OUTPUT, FINAL] = ["ProgressReported", "OutputAppended", "RequestCompleted"];
const EPOCH = "1970-01-01T00:00:00.000Z";

const state = (types, version) => ({ status: types[version - 1] === FINAL ? "COMPLETED" : "PROCESSING" });
const update = (types, version, from = version, withState = true) =>
  new Update(
    "r1",
    { version, type: types[version - 1], at: EPOCH, data: {} },
    withState ? state(types, version) : null,
    from,
  );

function answer(types, after, head, most = 1000) {
  const last = Math.min(head, after + most);
  const versions = Array.from({ length: Math.max(0, last - after) }, (_, index) => after + 1 + index);
  return { version: head, state: state(types, head), updates: versions.map((v) => update(types, v, v, v === head)) };
}

/** A random that is the same in each run (mulberry32). */
function seeded(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The log as the fan-out pushes it: progress conflated, then dropped, doubled and shuffled on the way. */
function pushesOf(types, random) {
  const pushes = [];
  let from = 1;
  types.forEach((type, index) => {
    if (type !== PROGRESS || random() < 0.5) {
      pushes.push(update(types, index + 1, from));
      from = index + 2;
    }
  });
  const kept = pushes.flatMap((push) => Array(Math.floor(random() * 3)).fill(push));
  if (random() < 0.5) kept.sort(() => random() - 0.5);
  return kept;
}

function everyVersionOnceInOrder(Kind, seed) {
  const random = seeded(seed);
  const length = Math.floor(random() * 14);
  const types = [...Array.from({ length }, () => (random() < 0.7 ? PROGRESS : OUTPUT)), FINAL];
  const tail = new Kind("r1");
  const given = [];
  const answers = [];
  let existing = 1; // what was seen of the log: a consistent read never goes back
  const heard = ({ updates, askAfter }) => {
    given.push(...updates);
    if (askAfter === null) return;
    existing += Math.floor(random() * (types.length - existing + 1));
    answers.push(answer(types, askAfter, existing, 1 + Math.floor(random() * 5)));
    assert.ok(answers.length <= 1, "one question at a time");
  };
  for (const push of pushesOf(types, random)) {
    existing = Math.max(existing, push.version);
    heard(tail.pushed(push));
    if (random() < 0.5 && answers.length > 0) heard(tail.answered(answers.pop()));
  }
  existing = types.length;
  for (let turn = 0; !tail.isFinal; turn++) {
    assert.ok(turn < 100, "it never ends");
    if (answers.length > 0) heard(tail.answered(answers.pop()));
    else heard(tail.ask());
  }
  const ends = given.map(({ version }) => version);
  assert.deepEqual(
    given.map(({ fromVersion }) => fromVersion),
    [1, ...ends.slice(0, -1).map((end) => end + 1)],
  );
  assert.equal(ends.at(-1), types.length);
  for (const one of given) {
    for (let v = one.fromVersion; v < one.version; v++)
      assert.equal(types[v - 1], PROGRESS, "only progress is skipped");
  }
}

test("every version is given out once and in order", () => {
  for (let seed = 1; seed <= 2000; seed++) everyVersionOnceInOrder(Tail, seed);
});

test("a tail that takes a late push for news is found out", () => {
  class Gullible extends Tail {
    pushed(push) {
      const heard = super.pushed(push);
      return push.version <= this.version && heard.updates.length === 0 ? { ...heard, updates: [push] } : heard;
    }
  }
  assert.throws(() => {
    for (let seed = 1; seed <= 200; seed++) everyVersionOnceInOrder(Gullible, seed);
  });
});

test("a tail that overlooks a gap is found out", () => {
  class Careless extends Tail {
    pushed(push) {
      return super.pushed(push.startingAt(Math.min(push.fromVersion, this.version + 1)));
    }
  }
  assert.throws(() => {
    for (let seed = 1; seed <= 200; seed++) everyVersionOnceInOrder(Careless, seed);
  });
});

test("conflated progress is no gap and tells how many it stands for", () => {
  const { updates, askAfter } = new Tail("r1", 2).pushed(update(Array(6).fill(PROGRESS), 6, 3));
  assert.equal(askAfter, null);
  assert.deepEqual(
    updates.map(({ version, skipped }) => [version, skipped]),
    [[6, 3]],
  );
});

test("a gap is asked for once however many pushes show it", () => {
  const tail = new Tail("r1", 1);
  const types = Array(9).fill(PROGRESS);
  assert.equal(tail.pushed(update(types, 3)).askAfter, 1);
  assert.deepEqual(tail.pushed(update(types, 4)), { updates: [], askAfter: null });
});

test("what was pushed between question and answer is asked for again", () => {
  const tail = new Tail("r1");
  const types = [PROGRESS, PROGRESS, PROGRESS, FINAL];
  tail.ask();
  tail.pushed(update(types, 4));
  const { updates, askAfter } = tail.answered(answer(types, 0, 2));
  assert.deepEqual([updates.map(({ version }) => version), askAfter], [[1, 2], 2]);
});

test("nothing follows a final version", () => {
  const tail = new Tail("r1");
  tail.pushed(update([FINAL], 1));
  assert.ok(tail.isFinal);
  assert.deepEqual(tail.pushed(update([FINAL, PROGRESS], 2)).updates, []);
  assert.equal(tail.ask().askAfter, null);
});

test("an answer that withholds what exists is told", () => {
  const tail = new Tail("r1");
  tail.pushed(update(Array(3).fill(PROGRESS), 3));
  assert.throws(() => tail.answered({ version: 3, state: {}, updates: [] }), EventsLost);
});
