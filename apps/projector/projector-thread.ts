import { parentPort, workerData } from 'node:worker_threads';
import { runSiteProjector } from './run-site-projector.ts';
import type { FromProjector, ProjectorThreadData, ToProjector } from './thread-messages.ts';

/** The entry of the projector's worker thread: projections never run on the thread that serves HTTP. */
const statusEveryMs = 250;

const port = parentPort;
if (!port) throw new Error('this file is the entry of a worker thread');
const stop = new AbortController();
port.on('message', (message: ToProjector) => {
  if (message === 'stop') stop.abort();
});
const tell = (message: FromProjector) => port.postMessage(message);

const projector = await runSiteProjector({
  ...(workerData as ProjectorThreadData),
  signal: stop.signal,
  onTrouble: (projection, detail) => tell({ kind: 'trouble', projection, detail }),
  onFailed: ({ message }) => tell({ kind: 'failed', message }),
});
const timer = setInterval(
  () => tell({ kind: 'status', generations: projector.status(), reactors: projector.reactors() }),
  statusEveryMs,
);
await projector.done;
clearInterval(timer);
port.close();
// Connections that are kept open to providers would hold the thread for as long as they last.
process.exit();
