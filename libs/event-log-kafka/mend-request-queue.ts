import { createRequire } from 'node:module';

interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

const mended = Symbol.for('annals.kafkajs.request-queue');

/**
 * kafkajs 2.2.4 sets a timer to look after waiting requests whenever an answer comes, also where none
 * waits, and then with a negative time: Node.js 24 prints a warning for that, and each answer costs a
 * timer. Here the timer is set only where something waits. Throws when kafkajs has another shape.
 */
export function mendRequestQueue(): void {
  const require = createRequire(import.meta.url);
  const queue = require('kafkajs/src/network/requestQueue/index.js') as {
    prototype: RequestQueue & { [mended]?: true };
  };
  const { prototype } = queue;
  if (prototype[mended]) return;
  const schedule = prototype.scheduleCheckPendingRequests;
  if (typeof schedule !== 'function') {
    throw new Error('kafkajs has no request queue as it was in 2.2.4');
  }
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0) schedule.call(this);
  };
  prototype[mended] = true;
}
