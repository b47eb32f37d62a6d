import { openEmbedded, projectionNamed, startProjectorThread } from '../index.ts';

/** What the first generation of a projection is, as a projector on a thread of its own makes it. */
export async function firstGeneration(dataFolder: string, name: string) {
  const embedded = await openEmbedded({ dataFolder });
  const projection = projectionNamed(name);
  if (!projection) throw new Error(`there is no projection ${name}`);
  const projector = startProjectorThread({
    site: embedded.config,
    holder: `example/${process.pid}`,
    onTrouble: (projection, detail) => process.stderr.write(`${projection}: ${detail}\n`),
  });
  while (projector.status().length === 0) await embedded.clock.sleep(20);
  const opened = await embedded.storeFor(projection).open(1);
  await projector.stop();
  await embedded.close();
  return opened === 'lost' ? opened : opened.spec;
}
