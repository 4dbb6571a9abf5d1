import type { RequestOptions, SignedIn, TestService } from './harness.ts'
import { problemOf } from './wire.ts'

/** What a token is at each place that takes one: whose it is, or how it was refused. */
export interface Verdicts {
  me: string
  verify: string
  /** In the body of `POST /auth/verify`, where any text can be sent. */
  inBody: string
}

/** Tries tokens at `GET /auth/me` and `POST /auth/verify`, and in the body of the latter, sent by somebody who may ask. */
export function createTokenProbe({ request }: TestService, asker: SignedIn) {
  const verify = (options: RequestOptions) => request('/api/v1/auth/verify', { method: 'POST', ...options })
  const inBody = async (token: string) => verdictOf(await verify({ token: asker.token, json: { token } }))
  return {
    inBody,
    async everywhere(token: string): Promise<Verdicts> {
      return {
        me: await verdictOf(await request('/api/v1/auth/me', { token })),
        verify: await verdictOf(await verify({ token })),
        inBody: await inBody(token),
      }
    },
  }
}

/** Whose credential an answer was given to, or the problem and the challenge that it is. */
export async function verdictOf(response: Response): Promise<string> {
  if (response.ok) {
    const body = (await response.json()) as { id?: string; sub?: string }
    return body.id ?? body.sub ?? JSON.stringify(body)
  }
  const { status, slug } = await problemOf(response)
  return [status, slug, response.headers.get('www-authenticate') ?? 'without a challenge'].join(' ')
}

export const inactive = '{"active":false}'

/** The verdicts on a token that is no good. */
export function refused(slug = 'invalid-token'): Verdicts {
  const refusal = `401 ${slug} Bearer error="invalid_token"`
  return { me: refusal, verify: refusal, inBody: inactive }
}

/** The verdicts on a token that stands for somebody. */
export function accepted({ id }: { id: string }): Verdicts {
  return { me: id, verify: id, inBody: id }
}
