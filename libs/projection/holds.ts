/** The longest hold of a generation, in milliseconds; a verification asks for half of it. */
export const holdMsMax = 60_000;

/**
 * Whether a hold until `until` is in force at `now` (milliseconds since 1970). One that would last longer
 * than any hold may was set before a clock was set back: it is over, or an operator who was killed
 * would stop the read model for as long as that.
 */
export function isHolding(until: number, now: number): boolean {
  return until > now && until <= now + holdMsMax;
}
