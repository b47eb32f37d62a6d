export { type AmountLimit, amountScreen } from './amount-limits.ts';
export { type CardLookup, cardLookupDefault, identifyCard } from './card-lookup.ts';
export {
  type DenyListChange,
  type DenyListEvent,
  type DenyListName,
  DenyListScreen,
  decideDenyList,
  denyListEvents,
  denyListEventTypes,
  denyListHash,
  denyListNames,
  denyListStream,
} from './deny-list.ts';
export {
  type DenyListEntry,
  DenyLists,
  type DenyListsMeans,
  type ToldByCheckout,
} from './deny-lists.ts';
export { type ExternalScreenOptions, externalLimits, externalScreen } from './external.ts';
export { type OpenRiskMeans, openRisk, openRiskLimits, type RiskRules } from './open-risk.ts';
export {
  allScreens,
  type RiskAssessment,
  type RiskRequest,
  type RiskScreen,
  type RiskVerdict,
  strictest,
} from './port.ts';
export { riskRequestsOf } from './risk-requests.ts';
export {
  SanctionsList,
  type SanctionsMatch,
  sanctionsLimits,
  sanctionsScreen,
} from './sanctions.ts';
export { type VelocityRule, VelocityScreen, velocityLimits } from './velocity.ts';
