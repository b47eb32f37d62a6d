import type { RedisConnection } from '../connection.ts';

/** A connection that breaks after some scripts: what they would have done is not done, as after a kill. */
export function breaking(connection: RedisConnection, scripts: number): RedisConnection {
  let left = scripts;
  return {
    ...{ place: connection.place, isCluster: connection.isCluster },
    ...{ masters: () => connection.masters(), close: () => undefined },
    call: (command, key, ...args) => connection.call(command, key, ...args),
    run: async (script, keys, args) => {
      left -= 1;
      if (left < 0) throw new Error('the connection broke');
      return connection.run(script, keys, args);
    },
  };
}
