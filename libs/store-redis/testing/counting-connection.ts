import type { RedisConnection } from '../connection.ts';
import { Shards } from '../shards.ts';

/** The same generation over a connection that counts the scripts it runs. */
export function counting(
  connection: RedisConnection,
  all: Shards,
): { readonly shards: Shards; scripts(): number } {
  let scripts = 0;
  const counted: RedisConnection = {
    ...{ place: connection.place, isCluster: connection.isCluster },
    ...{ masters: () => connection.masters(), close: () => undefined },
    call: (command, key, ...args) => connection.call(command, key, ...args),
    run: (script, keys, args) => {
      scripts += 1;
      return connection.run(script, keys, args);
    },
  };
  const { spec, instance } = all;
  const tags = all.names.map(({ tag }) => tag);
  const shards = new Shards(counted, { spec, instance, tags, scheme: 'hash' });
  return { shards, scripts: () => scripts };
}
