/** Mutants that no test can notice, or none needs to, as `file: what → what`, and why. */
export const explanations: ReadonlyMap<string, string> = new Map([])
