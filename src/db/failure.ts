import type pg from 'pg'
import { ImpatientError } from './patience.ts'

/**
 * What the database's refusal means to a caller. `constraint` names a rule of `migrations/` that was broken;
 * `invalid` is text the database cannot hold; `unavailable` means that it may work in a moment.
 */
export type DatabaseFailure = { kind: 'constraint'; constraint: string } | { kind: 'invalid' } | { kind: 'unavailable' }

// Classes of SQLSTATE: connection (not a protocol that is refused), resources, operator intervention, lock and
// serialization conflicts, read-only.
const unavailableCodes = /^(08(?!P01)|53|57|55P03|40001|40P01|25006)/
// What PgBouncer says of a server that it has lost, in the code of a protocol that is refused.
const poolerMessages = /server conn crashed|query_wait_timeout|cannot connect to server|server login/i
// Serialization failure, deadlock, and a transaction in which somebody took no notice of either.
const conflictCodes = new Set(['40001', '40P01', '25P02'])
const invalidCodes = /^(22021|22P05)/
const networkCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
])
const driverMessages =
  /Connection terminated|Query read timeout|timeout exceeded when trying to connect|pool after calling end|Client has encountered a connection error/

/** Recognises an error of the database, its driver or the way to it; undefined for any other error. */
export function databaseFailure(error: unknown): DatabaseFailure | undefined {
  if (!(error instanceof Error)) return undefined
  if (isDatabaseError(error)) {
    if (error.constraint) return { kind: 'constraint', constraint: error.constraint }
    if (invalidCodes.test(error.code ?? '')) return { kind: 'invalid' }
    const isUnavailable =
      error.code === '08P01' ? poolerMessages.test(error.message) : unavailableCodes.test(error.code ?? '')
    return isUnavailable ? { kind: 'unavailable' } : undefined
  }
  if (error instanceof ImpatientError || isOfNetwork(error)) return { kind: 'unavailable' }
  if (driverMessages.test(error.message)) return { kind: 'unavailable' }
  return error instanceof AggregateError ? databaseFailure(error.errors[0]) : undefined
}

// A file or a folder that is missing stays missing; a socket may appear.
function isOfNetwork(error: Error & { code?: unknown; syscall?: unknown }): boolean {
  if (error.code === 'ENOENT') return error.syscall === 'connect' || error.syscall === 'getaddrinfo'
  return error.syscall !== undefined && networkCodes.has(String(error.code))
}

/** Whether the database resolved a conflict of two transactions against this one, so that it may be tried again. */
export function isConflict(error: unknown): error is Error {
  return error instanceof Error && isDatabaseError(error) && conflictCodes.has(error.code ?? '')
}

// By its fields: the embedded database brings a copy of the protocol, whose errors are of another class than those of `pg`.
function isDatabaseError(error: Error): error is pg.DatabaseError {
  return 'severity' in error && 'code' in error
}
