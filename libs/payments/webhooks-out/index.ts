export { type AllowedUrls, isPublicAddress, webhookUrlProblem } from './addresses.ts';
export { webhooksProjection } from './deliveries.ts';
export {
  type DeliveriesPage,
  type DeliveryCounts,
  type DeliveryLog,
  type DeliveryPlace,
  type DeliveryQuery,
  type LoggedDelivery,
  sqliteDeliveryLog,
} from './delivery-log.ts';
export { cassandraDeliveryLog } from './delivery-log-cassandra.ts';
export type { WebhookEndpoint } from './endpoints.ts';
export {
  endpointEvents,
  endpointSubject,
  laneCategory,
  laneEvents,
  webhookEndpointsStream,
} from './events.ts';
export { type DeliveryState, deliveryStates } from './lane.ts';
export { webhookLimits } from './limits.ts';
export {
  httpPost,
  type WebhookPost,
  type WebhookRequest,
  type WebhookResponse,
} from './post.ts';
export { type WebhookQueueOptions, webhookQueue, webhookQueueName } from './queue-reactor.ts';
export { WebhookSender, type WebhookSenderOptions } from './sender.ts';
export {
  type By,
  type EndpointChanged,
  type Replayed,
  Webhooks,
  type WebhooksMeans,
} from './service.ts';
export { everyWebhookType, webhookTable, webhookTypes } from './webhook-table.ts';
