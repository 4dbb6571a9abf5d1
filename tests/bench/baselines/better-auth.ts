import { betterAuth } from 'better-auth'
import { admin, jwt } from 'better-auth/plugins'
import { Hono } from 'hono'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import {
  accountFields,
  adminSchema,
  jwtSchema,
  sessionFields,
  userFields,
  verificationFields,
} from '../../../src/auth/columns.ts'
import { listen, variable } from './serve.ts'

// The usual way: Better-Auth as its documentation has it, on the same tables, asked for the session of each request.
pg.types.setTypeParser(pg.types.builtins.INT8, Number)
const pool = new pg.Pool({ connectionString: variable('DATABASE_URL'), max: 10 })
const baseURL = variable('BASE_URL')
const auth = betterAuth({
  baseURL,
  basePath: '/api/auth',
  secret: variable('SECRET'),
  telemetry: { enabled: false },
  database: { db: new Kysely({ dialect: new PostgresDialect({ pool }) }), type: 'postgres' },
  advanced: { database: { joins: true } },
  rateLimit: { enabled: false },
  user: { fields: userFields },
  session: {
    fields: sessionFields,
    // A trigger fills it in; Better-Auth refuses a table with a column that must be filled and that it does not know.
    additionalFields: { notAfter: { type: 'date', required: false, input: false, fieldName: 'not_after' } },
  },
  account: { fields: accountFields },
  verification: { fields: verificationFields },
  emailAndPassword: { enabled: true },
  plugins: [
    jwt({
      jwks: { keyPairConfig: { alg: 'RS256', modulusLength: 2_048 } },
      jwt: { issuer: `${baseURL}/api/auth`, audience: `${baseURL}/api/v1` },
      disableSettingJwtHeader: true,
      schema: jwtSchema,
    }),
    admin({ schema: adminSchema }),
  ],
})

const app = new Hono()
app.on(['GET', 'POST'], '/api/auth/*', (c) => auth.handler(c.req.raw))
app.get('/api/v1/auth/me', async (c) => {
  const session = await auth.api.getSession({ headers: c.req.raw.headers })
  return session ? c.json(session.user) : c.json({ error: 'unauthenticated' }, 401)
})
listen(app)
