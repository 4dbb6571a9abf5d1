import { createAuthMiddleware } from 'better-auth/api'
import type { Db } from '../../db/database.ts'
import { inAuthTransaction } from '../auth-transaction.ts'
import { type AuthorityRow, findAuthorityByToken, lockAuthority } from '../authority/authority.queries.ts'
import { tellCaller } from '../caller.ts'
import { type Endpoint, type EndpointContext, refused, sessionTokenOf, unauthorized } from '../endpoint.ts'

/** What a rule is asked about: one call of one of Better-Auth's endpoints, within its transaction. */
export interface EndpointCall {
  db: Db
  /** Whose session the call presents. */
  actor: AuthorityRow
  /** The body, as the endpoint's own schema reads it. */
  body: Record<string, unknown>
  /** The body as it was sent, with what the schema drops or turns into another type. */
  sent: Record<string, unknown>
  query: Record<string, unknown>
}

/** Throws an APIError for what must not happen; may change the body and the query. */
export type Rule = (call: EndpointCall) => Promise<void> | void

/** What takes long and must not be waited for in a transaction, done before it for whoever may ask; may refuse. */
export type Preparation = (call: { db: Db; actor: AuthorityRow; context: EndpointContext }) => Promise<void>

export interface GuardOptions {
  /**
   * Throws an APIError for who may not ask at all, whoever it is about: before anything is locked or looked at, and again
   * in the transaction. Without it anybody with a session is heard.
   */
  mayAsk?: (actor: AuthorityRow) => void
  rules?: Rule[]
  /** Done for whose session it is, unless somebody acts as them. The rules are asked afterwards. */
  prepare?: Preparation
  /** Whether the call may change somebody's authority, and so must queue with every other that does. */
  changesAuthority?: boolean
  /** Whether all that the call writes is kept or none of it. Off for a call that waits for somebody else. */
  inTransaction?: boolean
}

/** Puts rules, and a transaction around all its writes, to an endpoint of Better-Auth that has neither. */
export type GuardEndpoint = <E>(endpoint: E, options?: GuardOptions) => E

/** Makes the guard of the endpoints of one service. */
export function createEndpointGuard(db: Db): GuardEndpoint {
  return (endpoint, { mayAsk, rules = [], prepare, changesAuthority = false, inTransaction = true } = {}) => {
    const original = endpoint as unknown as Endpoint
    const isChecked = mayAsk !== undefined || rules.length > 0
    const run = async (current: Db, context: EndpointContext) =>
      original(isChecked ? await checked(current, context, original) : context)
    const guarded = async (context: EndpointContext) => {
      const actor = mayAsk || prepare ? await actorOf(db, context) : undefined
      if (mayAsk) assertMayAsk(actor)
      if (actor?.impersonated_by === null) await prepare?.({ db, actor, context })
      if (!inTransaction) return run(db, context)
      return inAuthTransaction(db, context.context.options, async (trx) => {
        if (changesAuthority) await lockAuthority(trx)
        return run(trx, context)
      })
    }

    function assertMayAsk(actor: AuthorityRow | undefined): asserts actor {
      if (!actor) throw unauthorized()
      mayAsk?.(actor)
    }

    async function checked(current: Db, context: EndpointContext, { options }: Endpoint) {
      const actor = await actorOf(current, context)
      assertMayAsk(actor)
      const body = options.body ? options.body.safeParse(context.body) : { success: true as const, data: {} }
      // With a body it does not know the endpoint itself refuses.
      if (!body.success) return context
      const call: EndpointCall = {
        db: current,
        actor,
        body: { ...(body.data as Record<string, unknown>) },
        sent: (context.body ?? {}) as Record<string, unknown>,
        query: { ...context.query },
      }
      for (const rule of rules) await rule(call)
      return { ...context, query: call.query, ...(options.body && { body: call.body }) }
    }

    return Object.assign(guarded, endpoint)
  }
}

/** Whose session a call presents, if anybody's, and it is not over. The log is told. */
export async function actorOf(db: Db, context: EndpointContext): Promise<AuthorityRow | undefined> {
  const input = { ...context, returnHeaders: false }
  const token = await presentedToken(input as unknown as Parameters<typeof presentedToken>[0])
  const actor = token ? await findAuthorityByToken(db, token) : undefined
  if (!actor?.session_expires_at || actor.session_expires_at.getTime() <= Date.now()) return undefined
  if (context.request) tellCaller(context.request, actor.id)
  return actor
}

const presentedToken = createAuthMiddleware(sessionTokenOf)

/** Refuses whoever acts as somebody else: that is for looking, not for taking an account over. */
export const notImpersonating = ({ actor }: Pick<EndpointCall, 'actor'>): void => {
  if (actor.impersonated_by !== null) throw refused('IMPERSONATING', 'You cannot do this while you impersonate a user')
}
