// The worker and the pusher of BullMQ. `sancho-bench` starts it; it says what the arguments and the lines mean.
import { Queue, Worker } from "bullmq";

const [what, url, job, ...rest] = process.argv.slice(2);
const connection = { url, maxRetriesPerRequest: null };
const text = "x".repeat(100);
const now = () => Number(process.hrtime.bigint());
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const busy = (us) => {
  for (const end = now() + us * 1000; now() < end; );
};
const took = [];
const bodies = {
  no_op: () => {},
  wait_1ms: () => pause(1),
  wait_10ms: () => pause(10),
  burn_100us: () => busy(100),
  pick_up: (integer) => void took.push(now() - integer),
  pick_up_wait: (integer) => {
    took.push(now() - integer);
    return pause(10);
  },
};

function work(concurrency, jobs) {
  let ended = 0;
  const worker = new Worker(
    "default",
    async ({ data }) => {
      await bodies[job](data.integer);
      ended += 1;
      if (ended === 1) console.log("first");
      if (ended === jobs) console.log(`last\ntook ${took.join(" ")}`);
    },
    // Jobs that are done are not kept, as the others keep none.
    { connection, concurrency, removeOnComplete: { count: 0 } },
  );
  worker.on("error", (error) => console.error(error));
}

async function push(how, jobs, number) {
  const queue = new Queue("default", { connection });
  await queue.waitUntilReady();
  const options = { removeOnComplete: true };
  const add = (integer) => queue.add("NoOp", { integer, text }, options);
  console.log("first");
  if (how === "bulk") {
    for (let n = 0; n < jobs; n += 1000) {
      const slice = Array.from({ length: Math.min(1000, jobs - n) }, (_, i) => ({
        name: "NoOp",
        data: { integer: n + i, text },
        opts: options,
      }));
      await queue.addBulk(slice);
    }
  } else if (how === "paced") {
    const start = now();
    for (let n = 0; n < jobs; n += 1) {
      const left = start + n * number - now();
      if (left > 0) await pause(left / 1e6);
      await add(now());
    }
  } else {
    let next = 0;
    const caller = async () => {
      while (next < jobs) {
        next += 1;
        await add(next);
      }
    };
    await Promise.all(Array.from({ length: number }, caller));
  }
  console.log("last");
  await queue.close();
}

if (what === "work") work(Number(rest[0]), Number(rest[1]));
else await push(rest[0], Number(rest[1]), Number(rest[2]));
