import { parentPort, workerData } from 'node:worker_threads';
import { products } from './products.ts';

/** A thread that plays the seeds it is sent, one after the other, and sends back what came of each. */
const simulate = await products[workerData as string]?.();
if (!parentPort || !simulate) throw new TypeError(`no thread plays ${String(workerData)}`);
const port = parentPort;
port.on('message', async (seed: number) => port.postMessage(await simulate(seed)));
