import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import type { LogPlace, OpenedLog } from '@annals/projector';

/** Whether two places are one, however they are written: as far as that can be told before anything is opened. */
export function isSamePlace(one: LogPlace, other: LogPlace): boolean {
  if (one.kind === 'sqlite' && other.kind === 'sqlite') {
    return realFolder(one.folder) === realFolder(other.folder);
  }
  if (one.kind === 'kafka' && other.kind === 'kafka') {
    const hosts = new Set(one.brokers.map(hostOf));
    return one.topic === other.topic && other.brokers.some((broker) => hosts.has(hostOf(broker)));
  }
  if (one.kind === 'esdb' && other.kind === 'esdb') {
    const [first, second] = [one, other].map(({ connection, prefix }) => {
      const address = connection.replace(/\?.*$/s, '').replace(/^.*?:\/\/(?:[^@]*@)?/s, '');
      return `${address.replace(/\/$/, '').split(',').sort().join()} ${prefix}`.toLowerCase();
    });
    return first === second;
  }
  return false;
}

/** The same of open logs: two names of one broker lead to one cluster. */
export function isSameLog(one: OpenedLog, other: OpenedLog): boolean {
  if (isSamePlace(one.place, other.place)) return true;
  const topic = topicOf(one);
  return topic !== undefined && topic === topicOf(other);
}

function topicOf({ log }: OpenedLog): string | undefined {
  return 'topicName' in log && typeof log.topicName === 'string' ? log.topicName : undefined;
}

function hostOf(broker: string): string {
  return broker.toLowerCase();
}

function realFolder(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return resolve(folder);
  }
}
