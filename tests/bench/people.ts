import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import { hashPassword, symmetricDecrypt } from 'better-auth/crypto'
import { decodeJwt, decodeProtectedHeader, importJWK, type JWK, SignJWT } from 'jose'
import type pg from 'pg'
import { secret } from './service.ts'

/** A user with a live session. */
export interface Person {
  id: string
  email: string
  role: string
  sessionId: string
  cookie: string
}

/** Users with a session each, written to the database at once. */
export async function addPeople(client: pg.Client, count: number, role = 'user'): Promise<Person[]> {
  const people = Array.from({ length: count }, () => {
    const id = randomUUID()
    return {
      id,
      email: `${id}@example.com`,
      role,
      sessionId: randomUUID(),
      token: randomBytes(24).toString('base64url'),
    }
  })
  await client.query(
    `insert into "user" (id, name, email, email_verified, role)
     select id, 'Bench ' || left(id, 8), id || '@example.com', true, $2 from unnest($1::text[]) as id`,
    [people.map(({ id }) => id), role],
  )
  await client.query(
    `insert into session (id, user_id, token, expires_at, created_at, updated_at)
     select id, user_id, token, now() + interval '7 days', now(), now()
     from unnest($1::text[], $2::text[], $3::text[]) as s (id, user_id, token)`,
    [people.map(({ sessionId }) => sessionId), people.map(({ id }) => id), people.map(({ token }) => token)],
  )
  await client.query('analyze "user", session')
  return people.map(({ token, ...person }) => ({ ...person, cookie: cookieOf(token) }))
}

/** A password for users, by which they sign in. */
export async function addPasswords(client: pg.Client, people: Person[], password: string): Promise<void> {
  // One hash for all: what it costs to check does not differ.
  await client.query(
    `insert into account (id, account_id, provider_id, user_id, password, updated_at)
     select gen_random_uuid()::text, id, 'credential', id, $2, now() from unnest($1::text[]) as id`,
    [people.map(({ id }) => id), await hashPassword(password)],
  )
}

/** Signs session JWTs with the service's own key. */
export interface Signer {
  /** A JWT like the one of the sample, for somebody else; `count` of them differ in their `jti`. */
  sign: (
    person: Pick<Person, 'id' | 'sessionId' | 'email' | 'role'>,
    changes?: Record<string, unknown>,
  ) => Promise<string>
  /** The public half, as a JWK. */
  publicKey: JWK
}

/** @param sample a JWT that the service has signed: the others have the same header and claims */
export async function createSigner(client: pg.Client, sample: string): Promise<Signer> {
  const header = decodeProtectedHeader(sample)
  const claims = decodeJwt(sample)
  const { rows } = await client.query<{ public_key: string; private_key: string }>('select * from jwks where id = $1', [
    header.kid,
  ])
  if (!rows[0]) throw new Error('The key of the sample is not in the database')
  const jwk = await symmetricDecrypt({ key: secret, data: JSON.parse(rows[0].private_key) as string })
  const alg = header.alg ?? 'RS256'
  const key = await importJWK(JSON.parse(jwk) as JWK, alg)
  return {
    publicKey: { ...(JSON.parse(rows[0].public_key) as JWK), alg, ...(header.kid && { kid: header.kid }) },
    sign({ id, sessionId, email, role }, changes) {
      const own = { ...claims, sub: id, sid: sessionId, email, role, jti: randomUUID(), ...changes }
      return new SignJWT(own).setProtectedHeader({ ...header, alg }).sign(key)
    },
  }
}

/** The cookie of a session of Better-Auth, on a host without TLS. */
function cookieOf(token: string): string {
  const signature = createHmac('sha256', secret).update(token).digest('base64')
  return `better-auth.session_token=${encodeURIComponent(`${token}.${signature}`)}`
}
