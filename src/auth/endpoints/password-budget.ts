import type { AuthContext } from '@better-auth/core'
import { createAuthMiddleware } from 'better-auth/api'
import { z } from 'zod'
import type { Db } from '../../db/database.ts'
import { blocksOf, clientAddressHeader } from '../../http/client-address.ts'
import { beyond } from '../../http/quota.ts'
import { transactionOr } from '../auth-transaction.ts'
import { type EndpointContext, wrapEndpoint } from '../endpoint.ts'
import {
  countCheck,
  endAttempts,
  forgetAttempts,
  passwordQuota,
  rememberAddress,
  takeCheckBack,
} from './password-budget.queries.ts'

/**
 * How often the password of an account is checked: ten times in 15 minutes, at all endpoints and instances together. From
 * an address from where its user has signed in before, ten of their own: nobody elsewhere can keep them out. An address
 * that nobody has is counted, and answered, as any other.
 */
export interface PasswordBudget {
  /**
   * Lets `check` check a password of an account, counted before. What resolves was right, and the attempts are forgotten;
   * what fails before a password was checked does not count. Not for use in a transaction.
   * @throws ProblemError `rate-limited`, what the database throws, and what `check` throws
   */
  spend: <T>(email: string, context: EndpointContext, check: () => Promise<T>) => Promise<T>
  /** Remembers from where a user has signed in, or shown otherwise that the account is theirs; in the transaction under way. */
  remember: (userId: string, headers: Headers | undefined) => Promise<void>
  /** Lets an account begin anew whose user has reset the password; in the transaction under way. */
  renew: (user: { id: string; email: string }, headers: Headers | undefined) => Promise<void>
}

/** Makes the budget of one service. @param isOn off where no requests are limited */
export function createPasswordBudget(db: Db, isOn: boolean): PasswordBudget {
  if (!isOn) return { spend: (_email, _context, check) => check(), remember: async () => {}, renew: async () => {} }
  return {
    async spend(email, context, check) {
      const counted = await countCheck(db, { email, block: blockOf(context.headers) })
      if (counted.window === null)
        throw beyond({ quota: passwordQuota, isAllowed: false, remaining: 0, endsInMs: counted.seconds * 1_000 })
      const isChecked = watchPasswords(context)
      try {
        const result = await check()
        await forgetAttempts(db, counted)
        return result
      } catch (error) {
        // What cannot be taken back stays counted, and the cause is told.
        if (!isChecked()) await takeCheckBack(db, counted).catch(() => {})
        throw error
      }
    },
    remember: (userId, headers) => rememberAddress(transactionOr(db), userId, blockOf(headers)),
    async renew({ id, email }, headers) {
      await endAttempts(transactionOr(db), email)
      await rememberAddress(transactionOr(db), id, blockOf(headers))
    },
  }
}

/** Lets a sign-in spend of the budget of the account that it names. */
export function budgetedSignIn<E>(budget: PasswordBudget, endpoint: E): E {
  return wrapEndpoint(endpoint, (call, context) => {
    const email = Named.safeParse(context.body).data?.email
    // What is no address the endpoint refuses, and hashes nothing.
    return email === undefined ? call(context) : budget.spend(email, context, () => call(context))
  })
}

/** Remembers from where somebody has just signed in. */
export function rememberSignIn({ remember }: PasswordBudget) {
  return createAuthMiddleware(async ({ context: { newSession }, headers }) => {
    if (newSession) await remember(newSession.user.id, headers)
  })
}

const Named = z.object({ email: z.email() })

function blockOf(headers: Headers | undefined): string {
  return blocksOf(headers?.get(clientAddressHeader) ?? '').block
}

/** @returns tells whether a password was hashed in a call: for an account that nobody has, too, one is */
function watchPasswords({ context }: EndpointContext): () => boolean {
  const call = context as AuthContext
  let isChecked = false
  const watched =
    <A, R>(work: (given: A) => Promise<R>) =>
    async (given: A) => {
      const result = await work(given)
      isChecked = true
      return result
    }
  const { hash, verify } = call.password
  call.password = { ...call.password, hash: watched(hash), verify: watched(verify) }
  return () => isChecked
}
