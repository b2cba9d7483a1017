// Maps, buffers, JSON, compression on libuv's threads, worker threads; prints digests of all results.
"use strict";
const crypto = require("crypto");
const zlib = require("zlib");
const { promisify } = require("util");
const { Worker, isMainThread, parentPort, workerData } = require("worker_threads");

function generator(seed) {
  let state = seed >>> 0;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 4294967296) * n);
  };
}

function digest(value) {
  return crypto.createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);
}

function work(seed) {
  const draw = generator(seed);
  const table = new Map();
  for (let step = 0; step < 60000; step++) {
    const key = "key" + draw(6000);
    if (table.has(key) && draw(10) < 4) table.delete(key);
    else table.set(key, { step, text: "v".repeat(draw(100)) });
  }
  let value = [...table.entries()].sort((a, b) => (a[0] < b[0] ? -1 : 1));
  for (let i = 0; i < 3; i++) value = JSON.parse(JSON.stringify(value));
  const held = [];
  for (let i = 0; i < 2000; i++) {
    held.push(Buffer.alloc(1 + draw(60000), i & 255));
    if (held.length > 50) held.splice(draw(held.length), 1);
  }
  const hash = crypto.createHash("sha1");
  held.forEach((b) => hash.update(b));
  return [digest(value), hash.digest("hex")];
}

async function main() {
  console.log("alone", ...work(1));
  const deflate = promisify(zlib.deflate);
  const inflate = promisify(zlib.inflate);
  const inputs = Array.from({ length: 40 }, (_, i) => Buffer.from(("text " + i + " ").repeat(500 + i * 90)));
  const packed = await Promise.all(inputs.map((b, i) => deflate(b, { level: 1 + (i % 9) })));
  const unpacked = await Promise.all(packed.map((b) => inflate(b)));
  unpacked.forEach((b, i) => { if (!b.equals(inputs[i])) throw new Error("inflated to other bytes"); });
  console.log("packed", digest(packed.map((b) => b.length)));
  const results = await Promise.all([1, 2, 3, 4].map((seed) => new Promise((resolve, reject) => {
    const worker = new Worker(__filename, { workerData: seed });
    worker.once("message", resolve);
    worker.once("error", reject);
  })));
  console.log("workers", JSON.stringify(results));
}

if (isMainThread) main().catch((e) => { console.error(e); process.exit(1); });
else parentPort.postMessage(work(workerData));
