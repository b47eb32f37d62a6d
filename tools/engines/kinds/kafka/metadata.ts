import { ask } from '../../probe.ts';

/** What one broker knows of its cluster. */
export interface ClusterView {
  /** How many brokers are up, as far as this one knows. */
  readonly brokers: number;
  /** The node id of the controller, or -1. */
  readonly controller: number;
}

/** A Metadata request, version 1, for no topic: https://kafka.apache.org/protocol#The_Messages_Metadata */
function metadataRequest(): Buffer {
  const client = 'annals-engines';
  const request = Buffer.alloc(4 + 2 + 2 + 4 + 2 + client.length + 4);
  let at = request.writeInt32BE(request.length - 4, 0);
  at = request.writeInt16BE(3, at);
  at = request.writeInt16BE(1, at);
  at = request.writeInt32BE(1, at);
  at = request.writeInt16BE(client.length, at);
  at += request.write(client, at);
  request.writeInt32BE(0, at);
  return request;
}

/** Undefined when nobody at this port of 127.0.0.1 speaks Kafka. */
export function clusterSeenBy(port: number): Promise<ClusterView | undefined> {
  return ask(port, metadataRequest(), clusterViewOf);
}

/** Undefined while the answer is not whole. */
export function clusterViewOf(answer: Buffer): ClusterView | undefined {
  if (answer.length < 12 || answer.length < 4 + answer.readInt32BE(0)) return undefined;
  const brokers = answer.readInt32BE(8);
  let at = 12;
  for (let broker = 0; broker < brokers; broker += 1) {
    // A node id, a host, a port, and a rack, which may be null (-1).
    const rackAt = at + 4 + 2 + answer.readInt16BE(at + 4) + 4;
    at = rackAt + 2 + Math.max(0, answer.readInt16BE(rackAt));
  }
  return { brokers, controller: answer.readInt32BE(at) };
}
