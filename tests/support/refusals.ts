import type { RequestOptions, TestService } from './harness.ts'
import { bodyFor, type Call, pathFor } from './openapi.ts'

interface Person {
  id: string
  sessionId: string
}

/** Calls of operations about `target`, and what of them could be changed. */
export function createCalls(service: TestService, target: Person) {
  const { db } = service
  /** Everything of a user that a refused request could have changed, and how many users there are. */
  async function stateOf(id: string): Promise<unknown> {
    const of = { column: 'user_id', id } as const
    return {
      user: await db.selectFrom('user').selectAll().where('id', '=', id).execute(),
      sessions: await db.selectFrom('session').selectAll().where(of.column, '=', id).orderBy('id').execute(),
      accounts: await db.selectFrom('account').selectAll().where(of.column, '=', id).orderBy('id').execute(),
      grants: await db.selectFrom('oauth_grant').selectAll().where(of.column, '=', id).execute(),
      clients: await db.selectFrom('oauth_client').selectAll().orderBy('id').execute(),
      users: await db
        .selectFrom('user')
        .select(({ fn }) => fn.countAll<number>().as('n'))
        .execute(),
    }
  }

  function call(operation: Call, credential: RequestOptions, user: Person = target): Promise<Response> {
    const { method } = operation
    return service.request(pathFor(operation, user), { ...bodyFor(operation), ...credential, method })
  }

  return { call, stateOf }
}

/** What every refusal must say, as one object to compare. */
export async function refusalOf(response: Response) {
  const body = (await response.json()) as Record<string, unknown>
  return {
    status: response.status,
    contentType: response.headers.get('content-type'),
    challenge: response.headers.get('www-authenticate'),
    type: body['type'],
    statusInBody: body['status'],
    isTraceable: body['instance'] === response.headers.get('x-request-id'),
  }
}

/** What a refusal with this status and type says. */
export function refusal(status: number, type: string, challenge: string | null) {
  const contentType = 'application/problem+json'
  return { status, contentType, challenge, type: `/problems/${type}`, statusInBody: status, isTraceable: true }
}
