export { AcceptedOrders } from './accepted-orders.ts';
export { beginReactors, reactorAtRest } from './begin-reactors.ts';
export { DayMarks, dayMarkCategory, dayMarkEvents } from './day-marks.ts';
export type { NightlyMeans } from './nightly.ts';
export {
  type OrderStage,
  type OrdersByStage,
  orderStages,
  ordersByStage,
} from './orders-by-stage.ts';
export {
  providerEventsLimits,
  providerEventsStep,
  providerMarkCategory,
  providerMarkEvents,
} from './provider-events.ts';
export { pruneMarkEvents } from './prune-marks.ts';
export {
  type RunningPayments,
  type RunPaymentsOptions,
  reactorsOfPayments,
  runPayments,
  stepsOf,
} from './run-payments.ts';
export {
  type ReactorState,
  type ReactorStatus,
  type RunningReactors,
  type RunReactorsOptions,
  runReactors,
  runReactorsLimits,
} from './run-reactors.ts';
export { runSchedule, type ScheduledStep, scheduleLimits } from './schedule.ts';
export { sweepLimits, sweepSteps } from './sweep.ts';
