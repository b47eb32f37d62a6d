export { down } from './down.ts';
export { enginesFolder, type Site } from './engines-folder.ts';
export { EnginesError, type EnginesErrorCode } from './errors.ts';
export { engineNames } from './kinds/kinds.ts';
export { actOn, type NodeAction } from './node-actions.ts';
export { identityOf } from './process-identity.ts';
export { type EngineStatus, type NodeStatus, statusOf } from './status.ts';
export { type Holder, up } from './up.ts';
