import { randomUUID } from 'node:crypto'
import { type Db } from '../../src/db/database.ts'
import { password } from './harness.ts'

/** What a service has said that it did. */
export interface AckLog {
  /** Users who were made, with and without a password. */
  created: string[]
  signedUp: string[]
  banned: string[]
  /** Those of the banned who had signed up, and so had a session. */
  expelled: string[]
}

interface Writer {
  url: string
  /** What it calls itself. */
  baseUrl: string
  /** An admin's token, as it is at each call. */
  token: string
}

/** Writes to a service, and keeps what it acknowledged: a success is noted before anything else is asked. */
export function ackLog(writer: Writer): {
  log: AckLog
  calls: Record<string, () => Promise<Response>>
} {
  const { url, baseUrl } = writer
  const log: AckLog = { created: [], signedUp: [], banned: [], expelled: [] }
  const guests: string[] = []
  const strangers: string[] = []
  const send = (path: string, json: object) =>
    fetch(`${url}${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        origin: baseUrl,
        ...(path.startsWith('/api/v1') && { authorization: `Bearer ${writer.token}` }),
      },
      body: JSON.stringify(json),
    })
  let signUps = 0
  const email = () => `${randomUUID()}@example.com`
  const noted = async (answer: Promise<Response>, note: (body: { id: string; user: { id: string } }) => void) => {
    const response = await answer
    if (response.ok) note((await response.clone().json()) as { id: string; user: { id: string } })
    return response
  }
  return {
    log,
    calls: {
      create: () =>
        noted(send('/api/v1/users', { email: email(), name: 'New' }), ({ id }) => {
          log.created.push(id)
          strangers.push(id)
        }),
      ban() {
        // Once each, and first who has a session to lose.
        const guest = guests.shift()
        const id = guest ?? strangers.shift()
        if (id === undefined) return send('/api/v1/users', { email: email(), name: 'New' })
        return noted(send(`/api/v1/users/${id}/ban`, {}), () => {
          log.banned.push(id)
          if (guest !== undefined) log.expelled.push(id)
        })
      },
      signUp() {
        // A password takes a tenth of a second of a processor.
        if (signUps++ % 3 > 0) return fetch(`${url}/health`)
        return noted(send('/api/auth/sign-up/email', { email: email(), password, name: 'Ada' }), ({ user }) => {
          log.signedUp.push(user.id)
          guests.push(user.id)
        })
      },
    },
  }
}

/** What a database lacks of what was acknowledged, and what it holds half. */
export async function lostFrom(db: Db, log: AckLog): Promise<Record<string, string[]>> {
  const users = new Map(
    (await db.selectFrom('user').select(['id', 'banned', 'email']).execute()).map((user) => [user.id, user]),
  )
  const sessions = await db.selectFrom('session').select('user_id').execute()
  const accounts = new Set((await db.selectFrom('account').select('user_id').execute()).map(({ user_id }) => user_id))
  const names = await db.selectFrom('user').select('id').where('name', '=', 'Ada').execute()
  return {
    users: [...log.created, ...log.signedUp].filter((id) => !users.has(id)),
    bans: log.banned.filter((id) => !users.get(id)?.banned),
    // Whether it was acknowledged or not.
    withoutAccount: names.flatMap(({ id }) => (accounts.has(id) ? [] : [id])),
    sessionsOfBanned: sessions.flatMap(({ user_id }) => (users.get(user_id)?.banned ? [user_id] : [])),
  }
}

/** That nothing is lost, and nothing half. */
export const nothingLost = { users: [], bans: [], withoutAccount: [], sessionsOfBanned: [] }
