import type { Db } from '../../db/database.ts'
import type { OAuthClaims } from '../access-token.ts'
import { type ClientRow, type DelegationRow, findDelegation, findMachine } from '../oauth/delegation.queries.ts'
import { type AuthorityRow, findAuthority, findAuthorityByToken } from './authority.queries.ts'

/** What authority is judged by: of now, at once where it is known. Each answers undefined for who does not exist. */
export interface AuthorityReader {
  /** A user, with the session of that id if it is theirs. */
  ofUser: (userId: string, sessionId: string | null) => Answer<AuthorityRow>
  /** The user to whom a session token belongs. */
  ofSession: (token: string) => Answer<AuthorityRow>
  /** The user of an access token of a client, with their session, the client and the grant. */
  ofDelegation: (claims: OAuthClaims) => Answer<DelegationRow>
  /** The client of an access token of its own. */
  ofMachine: (claims: OAuthClaims) => Answer<ClientRow>
}

type Answer<Row> = Row | undefined | Promise<Row | undefined>

/** Reads the database each time, as one must within a transaction. */
export function readAuthority(db: Db): AuthorityReader {
  return {
    ofUser: (userId, sessionId) => findAuthority(db, userId, sessionId),
    ofSession: (token) => findAuthorityByToken(db, token),
    ofDelegation: (claims) => findDelegation(db, claims),
    ofMachine: (claims) => findMachine(db, claims),
  }
}
