import { readRecord, type Site } from './engines-folder.ts';
import { EnginesError } from './errors.ts';
import { kindOf } from './kinds/kinds.ts';
import { nodeNamed } from './node-actions.ts';
import { nodeSites } from './node-processes.ts';
import { output } from './run-program.ts';

/** What `nodetool` of Cassandra prints for a node, named as `cassandra/1`. Throws `usage` where there is none. */
export async function nodetool(site: Site, name: string, args: readonly string[]): Promise<string> {
  const { id, number } = nodeNamed(name);
  const programs = await kindOf(id).programs(site);
  if (!programs.nodetool) throw new EnginesError('usage', `${id} is no Cassandra`);
  const record = readRecord(site, id);
  const node = record?.formed ? nodeSites(site, record)[number - 1] : undefined;
  if (!node) throw new EnginesError('usage', `${name} is not up`);
  const { file, args: call } = programs.nodetool(node, args);
  return output(file, call, { env: site.env, cwd: node.folder, signal: site.signal });
}
