import { createRoute, z } from '@hono/zod-openapi'
import type { Requires } from '../auth/authorize.ts'
import type { Authenticate, Authenticated } from '../auth/principal.ts'
import { ProblemError, problems } from '../http/problem.ts'
import { createRouter } from '../http/router.ts'

interface Dependencies {
  requires: Requires
  authenticate: Authenticate
}

const VerifyBody = z
  .strictObject({
    token: z.string().min(1).optional().openapi({ description: 'Without it: the presented credential' }),
  })
  .openapi('TokenToVerify', { example: {} })

const Verification = z
  .union([
    z.object({
      active: z.literal(true),
      sub: z.string().openapi({ example: 'k3vJ8sQ2mZ7xT1bN5cR9wL4pH6dF0gYa' }),
      sid: z.string().nullable().openapi({ example: 'p0LmX3vB7nQ9zK2cT5yR8wE1aS4dG6hJ' }),
      role: z
        .string()
        .nullable()
        .openapi({ description: 'The role that the user has now; `user` for who acts as them', example: 'user' }),
      scope: z.string().openapi({ example: 'account:read account:write' }),
      clientId: z.string().nullable().openapi({ example: null }),
      act: z
        .object({ sub: z.string() })
        .nullable()
        .openapi({ description: 'The admin who acts as the user (RFC 8693 section 4.1)', example: null }),
      iss: z.string().nullable().openapi({ example: 'http://localhost:3000/api/auth' }),
      aud: z
        .union([z.string(), z.array(z.string())])
        .nullable()
        .openapi({ example: 'http://localhost:3000/api/v1' }),
      iat: z.int().openapi({ description: 'Seconds since the epoch', example: 1769851800 }),
      exp: z.int().openapi({ description: 'Seconds since the epoch', example: 1769852700 }),
    }),
    z.object({ active: z.literal(false) }),
  ])
  .openapi('TokenVerification')

/** `/auth/verify`: tells other back ends what a token is worth now. */
export function tokensRoutes({ requires, authenticate }: Dependencies) {
  return createRouter().openapi(
    createRoute({
      ...requires('account:read'),
      operationId: 'verifyToken',
      summary: 'Whether a token is good, and whose it is',
      description: 'Of a token that is not good nothing is told but that.',
      tags: ['Me'],
      method: 'post',
      path: '/auth/verify',
      request: { body: { content: { 'application/json': { schema: VerifyBody } } } },
      responses: {
        200: { description: 'What is known of the token', content: { 'application/json': { schema: Verification } } },
        ...problems('validation'),
      },
    }),
    async (c) => {
      const { token } = c.req.valid('json')
      if (token === undefined) return c.json(toVerification(c.var.authenticated), 200)
      try {
        return c.json(toVerification(await authenticate({ kind: 'bearer', token })), 200)
      } catch (error) {
        if (error instanceof ProblemError && error.status === 401) return c.json({ active: false as const }, 200)
        throw error
      }
    },
  )
}

function toVerification({ principal, claims }: Authenticated): z.infer<typeof Verification> {
  const { subject, sessionId, role, permissions, clientId, impersonatedBy } = principal
  return {
    active: true,
    sub: subject,
    sid: sessionId,
    role,
    scope: [...permissions].join(' '),
    clientId,
    act: impersonatedBy === null ? null : { sub: impersonatedBy },
    ...claims,
  }
}
