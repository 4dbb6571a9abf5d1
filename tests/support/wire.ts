import { z } from '@hono/zod-openapi'
import { expect } from 'vitest'
import { Problem } from '../../src/http/problem.ts'
import { Session } from '../../src/resources/session.ts'
import { User } from '../../src/resources/user.ts'

// The wire schemas, refusing any member they do not name.
export const WireUser = User.strict()
export const WireSession = Session.strict()
export const WireCurrentSession = z.strictObject({ session: WireSession, user: WireUser })
export const UserPage = strictPage(WireUser)
export const SessionPage = strictPage(WireSession)

const WireProblem = Problem.strict()

function strictPage<T extends z.ZodType>(item: T) {
  return z.strictObject({
    data: z.array(item),
    page: z.strictObject({ limit: z.int(), nextCursor: z.string().nullable() }),
    total: z.strictObject({ value: z.int(), relation: z.enum(['eq', 'estimate']) }).optional(),
  })
}

/** The body of a JSON response, held to its schema. */
export async function bodyOf<T extends z.ZodType>(response: Response, schema: T, status = 200): Promise<z.infer<T>> {
  const text = await response.text()
  expect(response.status, text).toBe(status)
  expect(response.headers.get('content-type')).toBe('application/json')
  return schema.parse(JSON.parse(text))
}

/** What a problem says: its status, the slug of its type, and the fields or parameters at fault. */
export async function problemOf(response: Response): Promise<{ status: number; slug: string; at: string[] }> {
  const text = await response.text()
  expect(response.headers.get('content-type'), text).toBe('application/problem+json')
  const problem = WireProblem.parse(JSON.parse(text))
  expect(problem.status).toBe(response.status)
  expect(problem.instance).toBe(response.headers.get('x-request-id'))
  const at = (problem.errors ?? []).map(({ pointer, parameter }) => parameter ?? pointer ?? '')
  return { status: problem.status, slug: problem.type.replace('/problems/', ''), at }
}

/** What a validation problem about these fields or parameters says. */
export function invalidAt(...at: string[]) {
  return { status: 422, slug: 'validation', at }
}
