import type { AppendRefusal, PassingRefusal } from './port.ts';

/** Whether the same append may be taken when it is sent again. */
export function isPassing(reason: AppendRefusal): reason is PassingRefusal {
  return reason === 'overloaded' || reason === 'unreachable';
}
