import type { Database } from '../../db/database.ts'
import type { Log } from '../../log.ts'
import type { ClientRow, DelegationRow } from '../oauth/delegation.queries.ts'
import type { AuthorityRow } from './authority.queries.ts'
import { createAuthorityCache, type Question } from './cache.ts'
import { type AuthorityReader, readAuthority } from './reader.ts'

/** Authority in memory, as long as the database tells what changes; else its answer to each request. */
export interface LiveAuthority extends AuthorityReader {
  gauges: () => AuthorityGauges
}

/** Counted since the start, but for `size` and `heartbeatAge`. */
export interface AuthorityGauges {
  /** Answers that are kept. */
  size: number
  hits: number
  misses: number
  notifications: number
  /** Milliseconds since the time up to which all changes are known. */
  heartbeatAge: number
}

interface LiveAuthorityOptions {
  database: Database
  /** How much memory the answers may take, by estimate. */
  maxBytes: number
  /** Called when the signing keys changed, or may have. */
  onKeysChanged: () => void
  log: Log
}

type Ask = <Row extends object>(
  key: string,
  question: () => Question<Row>,
) => Row | undefined | Promise<Row | undefined>

// What is over stays over, but for somebody who makes it again with SQL.
const overForMs = 1_000

/**
 * Keeps who has which authority until the database tells of a change (`NOTIFY authority`), and asks the database at each
 * request while it may not have heard of all. Errors of the database are those of its queries.
 */
export async function watchAuthority(options: LiveAuthorityOptions): Promise<LiveAuthority> {
  const { database, maxBytes, onKeysChanged, log } = options
  const cache = createAuthorityCache(maxBytes)
  const counts = { hits: 0, misses: 0, notifications: 0 }
  const counted = () => ({ ...counts, size: cache.size() })
  let isFirst = true
  const notifications = await database.listen({
    channel: 'authority',
    onNotification(payload) {
      counts.notifications += 1
      if (payload === 'jwks') onKeysChanged()
      else if (payload === '*') cache.clear()
      else cache.drop(payload)
    },
    onGap() {
      cache.clear()
      onKeysChanged()
    },
    onChange(state) {
      if (!state.carries)
        log.warn(
          { authority: counted() },
          `authority is read at each request, as changes are not heard of: ${state.reason}`,
        )
      else if (!isFirst) log.info({ authority: counted() }, 'changes of authority are heard of again')
      isFirst = false
    },
  })
  const ask: Ask = (key, question) => {
    const isCurrent = notifications.isCurrent()
    const known = isCurrent ? cache.get<never>(key) : undefined
    if (known === null || (known && !isBanOver(known))) {
      counts.hits += 1
      return known ?? undefined
    }
    counts.misses += 1
    // What may be out of date already is neither shared nor kept.
    return isCurrent ? cache.read(key, question()) : question().read()
  }
  return {
    ...askedOnce(ask, readAuthority(database.db)),
    gauges: () => ({ ...counted(), heartbeatAge: notifications.age() }),
  }
}

/** The questions that authority is asked, and what their answers depend on. */
function askedOnce(ask: Ask, database: AuthorityReader): AuthorityReader {
  return {
    ofUser: (userId, sessionId) =>
      ask<AuthorityRow>(sessionId === null ? `user ${userId}` : `session ${sessionId} ${userId}`, () => ({
        read: async () => database.ofUser(userId, sessionId),
        // A user who is not there may be made the next moment, and nobody tells; a session has ended.
        keepMs(row) {
          if (sessionId === null) return row ? Infinity : 0
          return row?.banned || row?.session_id ? Infinity : overForMs
        },
        ...always([`user:${userId}`]),
      })),
    ofSession: (token) =>
      ask<AuthorityRow>(`cookie ${token}`, () => ({
        read: async () => database.ofSession(token),
        keepMs: (row) => (row ? Infinity : overForMs),
        tagsOf: (row) => (row ? [`user:${row.id}`] : []),
        tagsBefore: undefined,
      })),
    ofDelegation: (claims) =>
      ask<DelegationRow>(`token ${claims.jti} ${claims.client_id} ${claims.sub} ${claims.sid ?? ''}`, () => ({
        read: async () => database.ofDelegation(claims),
        keepMs: (row) => (row?.banned || (row?.granted_at && isUsable(row)) ? Infinity : 0),
        ...always([`user:${claims.sub}`, `client:${claims.client_id}`, `token:${claims.jti}`]),
      })),
    ofMachine: (claims) =>
      ask<ClientRow>(`token ${claims.jti} ${claims.client_id}`, () => ({
        read: async () => database.ofMachine(claims),
        keepMs: (row) => (row && isUsable(row) ? Infinity : 0),
        ...always([`client:${claims.client_id}`, `token:${claims.jti}`]),
      })),
  }
}

function always(tags: readonly string[]) {
  return { tagsOf: () => tags, tagsBefore: tags }
}

function isUsable({ client_enabled, is_revoked }: ClientRow): boolean {
  return client_enabled === true && !is_revoked
}

/** Whether a ban that was in force when it was read has ended since, of which nobody tells. */
function isBanOver(row: { banned?: boolean; ban_expires?: Date | null }): boolean {
  return row.banned === true && row.ban_expires instanceof Date && row.ban_expires.getTime() <= Date.now()
}
