import type { BetterAuthOptions } from 'better-auth'
import { z } from 'zod'
import { databaseFailure } from '../db/failure.ts'
import { type Log, scrub } from '../log.ts'

// What any stranger can cause is no error of ours, and a failed sign-in has a line that says more.
const levels = new Map<string, 'warn' | 'debug'>([
  ['Failed to parse state', 'warn'],
  ['State not found', 'warn'],
  ['Provider not found. Make sure to add the provider in your auth config', 'debug'],
  ['User not found', 'debug'],
  ['Password not found', 'debug'],
  ['Invalid password', 'debug'],
  ['INVALID_CALLBACK_REQUEST', 'warn'],
  ['Blocked cross-site navigation login attempt (CSRF protection)', 'warn'],
  // Of a code that a provider does not exchange it says nothing but this.
  ['', 'warn'],
])
// After the colon comes what was sent.
const refusedUrl = /^Invalid (origin|\w*(callback|redirect)URL): /i
const maxWords = 300

// RFC 6749 section 5.2, as Better-Auth hands it on: with the status of the answer.
const Refusal = z.object({ error: z.string().regex(/^[\x20-\x7e]{1,100}$/), status: z.number().optional() })

/** Where Better-Auth logs to: our log, without what a caller may have written, and at the level of what it is to us. */
export function authLogger(log: Log): NonNullable<BetterAuthOptions['logger']> {
  return {
    level: 'warn',
    log(level, message, ...args) {
      const cause = causeIn(args)
      log[levelOf(message, cause) ?? level](
        { source: 'better-auth', ...cause },
        scrub(message.slice(0, maxWords)) || 'a provider gave no tokens for a code',
      )
    },
  }
}

function levelOf(message: string, { err }: Cause): 'warn' | 'debug' | undefined {
  // As a character that cannot be stored, which is refused.
  if (databaseFailure(err)?.kind === 'invalid') return 'debug'
  return refusedUrl.test(message) ? 'warn' : levels.get(message)
}

interface Cause {
  err?: Error
  answer?: z.infer<typeof Refusal> | undefined
}

/** An error, or what a provider has answered in place of tokens: of that only the code, which tells what is set up wrong. */
function causeIn(args: unknown[]): Cause {
  const err = args.find((arg) => arg instanceof Error)
  return err ? { err } : { answer: args.map((arg) => Refusal.safeParse(arg).data).find((data) => data !== undefined) }
}
