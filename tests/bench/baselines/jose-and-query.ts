import { Hono } from 'hono'
import { createLocalJWKSet, type JWK, jwtVerify } from 'jose'
import pg from 'pg'
import { listen, variable } from './serve.ts'

// What one writes oneself: the token verified by the usual library, then one query for the user as they are now.
const keys = createLocalJWKSet({ keys: [JSON.parse(variable('PUBLIC_KEY')) as JWK] })
const pool = new pg.Pool({ connectionString: variable('DATABASE_URL'), max: 10 })
const options = { issuer: variable('ISSUER'), audience: variable('AUDIENCE') }
const userOfSession = {
  name: 'user of session',
  text: `select u.* from "user" u join session s on s.user_id = u.id
    where u.id = $1 and s.id = $2 and s.expires_at > now() and not u.banned`,
}

const app = new Hono().get('/api/*', async (c) => {
  try {
    const { payload } = await jwtVerify(c.req.header('authorization')?.slice('Bearer '.length) ?? '', keys, options)
    const { rows } = await pool.query({ ...userOfSession, values: [payload.sub, payload['sid']] })
    return rows[0] ? c.json(rows[0]) : c.json({ error: 'unauthenticated' }, 401)
  } catch {
    return c.json({ error: 'unauthenticated' }, 401)
  }
})
listen(app)
