/** What came of one seed. */
export interface Outcome {
  readonly seed: number;
  readonly digest: string;
  readonly lines: number;
  readonly events: number;
  readonly failure: { readonly invariant: string; readonly message: string } | undefined;
  /** The last lines of the trace. */
  readonly trace: readonly string[];
}
