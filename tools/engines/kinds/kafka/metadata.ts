import { ask } from '../../probe.ts';

/** What one broker knows of its cluster. */
export interface ClusterView {
  /** How many brokers are up, as far as this one knows. */
  readonly brokers: number;
  /** The node id of the controller, or -1. */
  readonly controller: number;
}

/** A request with its header, version 1; `body` follows. */
function requestOf(key: number, version: number, body: Uint8Array): Buffer {
  const client = 'annals-engines';
  const request = Buffer.alloc(4 + 2 + 2 + 4 + 2 + client.length + body.length);
  let at = request.writeInt32BE(request.length - 4, 0);
  at = request.writeInt16BE(key, at);
  at = request.writeInt16BE(version, at);
  at = request.writeInt32BE(1, at);
  at = request.writeInt16BE(client.length, at);
  at += request.write(client, at);
  request.set(body, at);
  return request;
}

/** A Metadata request, version 1, for no topic: https://kafka.apache.org/protocol#The_Messages_Metadata */
function metadataRequest(): Buffer {
  return requestOf(3, 1, Buffer.alloc(4));
}

/** Whether somebody at this port of 127.0.0.1 says which versions of Kafka's requests it knows, as a broker does to anybody. */
export async function talksKafka(port: number): Promise<boolean> {
  const versions = requestOf(18, 0, Buffer.alloc(0));
  const error = await ask(port, versions, (answer) =>
    answer.length < 10 ? undefined : answer.readInt16BE(8),
  );
  return error === 0;
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
