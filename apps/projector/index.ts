export {
  dataLayout,
  type Embedded,
  type EmbeddedOptions,
  NoDataFolderError,
  openEmbedded,
} from './embedded.ts';
export { projectionNamed, projections } from './registry.ts';
export { runEmbeddedProjector } from './run-embedded-projector.ts';
export {
  type ProjectorThread,
  type ProjectorThreadOptions,
  startProjectorThread,
} from './start-projector-thread.ts';
