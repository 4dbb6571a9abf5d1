import { auth } from './explained/auth.ts'
import { endpoints } from './explained/endpoints.ts'
import { oauth } from './explained/oauth.ts'
import { others } from './explained/others.ts'

/** A mutant as `file: what → what`, and why no test can notice it, or none needs to. */
export type Explanation = readonly [mutant: string, why: string]

/** The mutants that need not be noticed, and why. */
export const explanations: ReadonlyMap<string, string> = new Map([...auth, ...endpoints, ...oauth, ...others])
